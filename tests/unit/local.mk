# SPDX-License-Identifier: GPL-2.0-or-later
# One line a test: its name; then, below, its sources.  Kept sorted.
if HAVE_CHECK
check_PROGRAMS += tests/unit/test_access
check_PROGRAMS += tests/unit/test_agent
check_PROGRAMS += tests/unit/test_check
check_PROGRAMS += tests/unit/test_clock
check_PROGRAMS += tests/unit/test_confined
check_PROGRAMS += tests/unit/test_cpuid
check_PROGRAMS += tests/unit/test_dbt
check_PROGRAMS += tests/unit/test_decode
check_PROGRAMS += tests/unit/test_decode_host
if HAVE_CAPSTONE
check_PROGRAMS += tests/unit/test_decode_capstone
endif
check_PROGRAMS += tests/unit/test_devices
check_PROGRAMS += tests/unit/test_exception
check_PROGRAMS += tests/unit/test_exec_fpu
check_PROGRAMS += tests/unit/test_exec_integer
check_PROGRAMS += tests/unit/test_exec_system
check_PROGRAMS += tests/unit/test_ioapic
check_PROGRAMS += tests/unit/test_kick
check_PROGRAMS += tests/unit/test_kvm
check_PROGRAMS += tests/unit/test_kvm_guests
check_PROGRAMS += tests/unit/test_lapic
check_PROGRAMS += tests/unit/test_lock
check_PROGRAMS += tests/unit/test_log
check_PROGRAMS += tests/unit/test_memory
check_PROGRAMS += tests/unit/test_msr
check_PROGRAMS += tests/unit/test_net
check_PROGRAMS += tests/unit/test_paging
check_PROGRAMS += tests/unit/test_paravirt
check_PROGRAMS += tests/unit/test_parse
check_PROGRAMS += tests/unit/test_pic
check_PROGRAMS += tests/unit/test_pit
check_PROGRAMS += tests/unit/test_ports
check_PROGRAMS += tests/unit/test_ps2
check_PROGRAMS += tests/unit/test_segment
check_PROGRAMS += tests/unit/test_snapshot
check_PROGRAMS += tests/unit/test_state
check_PROGRAMS += tests/unit/test_traps
check_PROGRAMS += tests/unit/test_uart
endif

tests_unit_test_access_SOURCES = tests/unit/test_access.c tests/unit/cpu_fixture.h
tests_unit_test_access_LDADD = $(test_libs)

tests_unit_test_agent_SOURCES = tests/unit/test_agent.c src/cli/agent.c src/cli/agent.h
tests_unit_test_agent_LDADD = $(test_libs)

tests_unit_test_check_SOURCES = tests/unit/test_check.c tests/unit/dbt_fixture.h
tests_unit_test_check_LDADD = $(test_libs)

tests_unit_test_clock_SOURCES = tests/unit/test_clock.c tests/unit/unit.h
tests_unit_test_clock_LDADD = $(test_libs)

tests_unit_test_confined_SOURCES = tests/unit/test_confined.c tests/unit/dbt_fixture.h
tests_unit_test_confined_LDADD = $(test_libs)

tests_unit_test_cpuid_SOURCES = tests/unit/test_cpuid.c tests/unit/cpu_fixture.h
tests_unit_test_cpuid_LDADD = $(test_libs)

tests_unit_test_dbt_SOURCES = tests/unit/test_dbt.c
tests_unit_test_dbt_LDADD = $(test_libs)

tests_unit_test_decode_SOURCES = tests/unit/test_decode.c
tests_unit_test_decode_LDADD = $(test_libs)

tests_unit_test_decode_capstone_SOURCES = tests/unit/test_decode_capstone.c
tests_unit_test_decode_capstone_LDADD = $(test_libs)

tests_unit_test_decode_host_SOURCES = tests/unit/test_decode_host.c
tests_unit_test_decode_host_LDADD = $(test_libs)

tests_unit_test_devices_SOURCES = tests/unit/test_devices.c tests/unit/rig.h tests/unit/unit.h
tests_unit_test_devices_LDADD = $(test_libs)

tests_unit_test_exception_SOURCES = tests/unit/test_exception.c tests/unit/cpu_fixture.h
tests_unit_test_exception_LDADD = $(test_libs)

tests_unit_test_exec_fpu_SOURCES = tests/unit/test_exec_fpu.c tests/unit/exec_fixture.h
tests_unit_test_exec_fpu_LDADD = $(test_libs)

tests_unit_test_exec_integer_SOURCES = tests/unit/test_exec_integer.c tests/unit/exec_fixture.h tests/unit/native32.h
tests_unit_test_exec_integer_LDADD = $(test_libs)

tests_unit_test_exec_system_SOURCES = tests/unit/test_exec_system.c tests/unit/exec_fixture.h
tests_unit_test_exec_system_LDADD = $(test_libs)

tests_unit_test_ioapic_SOURCES = tests/unit/test_ioapic.c tests/unit/rig.h tests/unit/unit.h
tests_unit_test_ioapic_LDADD = $(test_libs)

tests_unit_test_kick_SOURCES = tests/unit/test_kick.c tests/unit/dbt_fixture.h
tests_unit_test_kick_LDADD = $(test_libs)

tests_unit_test_kvm_SOURCES = tests/unit/test_kvm.c tests/unit/kvm_fixture.h
tests_unit_test_kvm_LDADD = $(test_libs)

tests_unit_test_kvm_guests_SOURCES = tests/unit/test_kvm_guests.c tests/unit/kvm_fixture.h
tests_unit_test_kvm_guests_LDADD = $(test_libs)

tests_unit_test_lapic_SOURCES = tests/unit/test_lapic.c tests/unit/cpu_fixture.h
tests_unit_test_lapic_LDADD = $(test_libs)
tests_unit_test_lapic_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=cpu_request

tests_unit_test_lock_SOURCES = tests/unit/test_lock.c
tests_unit_test_lock_LDADD = $(test_libs)

tests_unit_test_log_SOURCES = tests/unit/test_log.c
tests_unit_test_log_LDADD = $(test_libs)

tests_unit_test_memory_SOURCES = tests/unit/test_memory.c
tests_unit_test_memory_LDADD = $(test_libs)

tests_unit_test_msr_SOURCES = tests/unit/test_msr.c tests/unit/cpu_fixture.h
tests_unit_test_msr_LDADD = $(test_libs)

tests_unit_test_net_SOURCES = tests/unit/test_net.c tests/unit/rig.h tests/unit/unit.h
tests_unit_test_net_LDADD = $(test_libs)

tests_unit_test_paging_SOURCES = tests/unit/test_paging.c tests/unit/cpu_fixture.h
tests_unit_test_paging_LDADD = $(test_libs)

tests_unit_test_paravirt_SOURCES = tests/unit/test_paravirt.c tests/unit/cpu_fixture.h
tests_unit_test_paravirt_LDADD = $(test_libs)

tests_unit_test_parse_SOURCES = tests/unit/test_parse.c
tests_unit_test_parse_LDADD = $(test_libs)

tests_unit_test_pic_SOURCES = tests/unit/test_pic.c tests/unit/rig.h tests/unit/unit.h
tests_unit_test_pic_LDADD = $(test_libs)

tests_unit_test_pit_SOURCES = tests/unit/test_pit.c tests/unit/rig.h tests/unit/unit.h
tests_unit_test_pit_LDADD = $(test_libs)

tests_unit_test_ports_SOURCES = tests/unit/test_ports.c tests/unit/unit.h
tests_unit_test_ports_LDADD = $(test_libs)

tests_unit_test_ps2_SOURCES = tests/unit/test_ps2.c tests/unit/rig.h tests/unit/unit.h
tests_unit_test_ps2_LDADD = $(test_libs)

tests_unit_test_segment_SOURCES = tests/unit/test_segment.c tests/unit/cpu_fixture.h
tests_unit_test_segment_LDADD = $(test_libs)

# The board's devices, tables and kernel images.
if HAVE_CHECK
check_PROGRAMS += \
        tests/unit/test_acpi \
        tests/unit/test_boot_image \
        tests/unit/test_flash \
        tests/unit/test_fw_cfg \
        tests/unit/test_hpet \
        tests/unit/test_i8042 \
        tests/unit/test_pci \
        tests/unit/test_rtc \
        tests/unit/test_smbios
endif

tests_unit_test_acpi_SOURCES = tests/unit/test_acpi.c tests/unit/unit.h
tests_unit_test_acpi_LDADD = $(test_libs)

tests_unit_test_boot_image_SOURCES = tests/unit/test_boot_image.c tests/unit/unit.h
tests_unit_test_boot_image_LDADD = $(test_libs)

tests_unit_test_hpet_SOURCES = tests/unit/test_hpet.c tests/unit/board_fixture.h tests/unit/unit.h
tests_unit_test_hpet_LDADD = $(test_libs)

tests_unit_test_smbios_SOURCES = tests/unit/test_smbios.c tests/unit/unit.h
tests_unit_test_smbios_LDADD = $(test_libs)

tests_unit_test_flash_SOURCES = tests/unit/test_flash.c tests/unit/board_fixture.h tests/unit/unit.h
tests_unit_test_flash_LDADD = $(test_libs)

tests_unit_test_fw_cfg_SOURCES = tests/unit/test_fw_cfg.c tests/unit/board_fixture.h tests/unit/unit.h
tests_unit_test_fw_cfg_LDADD = $(test_libs)

tests_unit_test_i8042_SOURCES = tests/unit/test_i8042.c tests/unit/board_fixture.h tests/unit/unit.h
tests_unit_test_i8042_LDADD = $(test_libs)

tests_unit_test_pci_SOURCES = tests/unit/test_pci.c tests/unit/board_fixture.h tests/unit/unit.h
tests_unit_test_pci_LDADD = $(test_libs)

tests_unit_test_rtc_SOURCES = tests/unit/test_rtc.c tests/unit/board_fixture.h tests/unit/unit.h
tests_unit_test_rtc_LDADD = $(test_libs)

tests_unit_test_state_SOURCES = tests/unit/test_state.c
tests_unit_test_state_LDADD = $(test_libs)

tests_unit_test_traps_SOURCES = tests/unit/test_traps.c
tests_unit_test_traps_LDADD = $(test_libs)

tests_unit_test_uart_SOURCES = tests/unit/test_uart.c tests/unit/rig.h tests/unit/unit.h
tests_unit_test_uart_LDADD = $(test_libs)

# Images and drives.
if HAVE_CHECK
check_PROGRAMS += \
        tests/unit/test_block \
        tests/unit/test_floppy \
        tests/unit/test_ide \
        tests/unit/test_image \
        tests/unit/test_qcow2
endif

tests_unit_test_qcow2_SOURCES = tests/unit/test_qcow2.c tests/unit/unit.h
tests_unit_test_qcow2_LDADD = $(test_libs)

tests_unit_test_block_SOURCES = tests/unit/test_block.c tests/unit/unit.h
tests_unit_test_block_LDADD = $(test_libs)

tests_unit_test_floppy_SOURCES = tests/unit/test_floppy.c tests/unit/board_fixture.h tests/unit/unit.h
tests_unit_test_floppy_LDADD = $(test_libs)

tests_unit_test_ide_SOURCES = tests/unit/test_ide.c tests/unit/board_fixture.h tests/unit/unit.h
tests_unit_test_ide_LDADD = $(test_libs)

tests_unit_test_image_SOURCES = tests/unit/test_image.c tests/unit/unit.h
tests_unit_test_image_LDADD = $(test_libs)
if HAVE_CHECK
check_PROGRAMS += tests/unit/test_vga
check_PROGRAMS += tests/unit/test_x2apic
endif

tests_unit_test_vga_SOURCES = tests/unit/test_vga.c tests/unit/rig.h tests/unit/unit.h
tests_unit_test_vga_LDADD = $(test_libs)

tests_unit_test_snapshot_SOURCES = tests/unit/test_snapshot.c tests/unit/unit.h
tests_unit_test_snapshot_LDADD = $(test_libs)
tests_unit_test_x2apic_SOURCES = tests/unit/test_x2apic.c tests/unit/cpu_fixture.h
tests_unit_test_x2apic_LDADD = $(test_libs)
tests_unit_test_x2apic_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=cpu_request
# Virtio devices.
if HAVE_CHECK
check_PROGRAMS += \
        tests/unit/test_ahci \
        tests/unit/test_disk_spec \
        tests/unit/test_tablet \
        tests/unit/test_virtio \
        tests/unit/test_virtio_devices
endif

tests_unit_test_disk_spec_SOURCES = tests/unit/test_disk_spec.c tests/unit/unit.h
tests_unit_test_disk_spec_LDADD = $(test_libs)

tests_unit_test_ahci_SOURCES = tests/unit/test_ahci.c tests/unit/board_fixture.h tests/unit/unit.h
tests_unit_test_ahci_LDADD = $(test_libs)

tests_unit_test_virtio_devices_SOURCES = tests/unit/test_virtio_devices.c tests/unit/virtio_driver.h tests/unit/board_fixture.h \
        tests/unit/unit.h
tests_unit_test_virtio_devices_LDADD = $(test_libs)

tests_unit_test_tablet_SOURCES = tests/unit/test_tablet.c tests/unit/virtio_driver.h tests/unit/board_fixture.h tests/unit/unit.h
tests_unit_test_tablet_LDADD = $(test_libs)

tests_unit_test_virtio_SOURCES = tests/unit/test_virtio.c tests/unit/virtio_driver.h tests/unit/board_fixture.h tests/unit/unit.h
tests_unit_test_virtio_LDADD = $(test_libs)

# Machines of other programs.
if HAVE_CHECK
check_PROGRAMS += tests/unit/test_import
endif
tests_unit_test_import_SOURCES = tests/unit/test_import.c tests/unit/unit.h
tests_unit_test_import_LDADD = $(test_libs)
