# SPDX-License-Identifier: GPL-2.0-or-later
if HAVE_CHECK
check_PROGRAMS += \
        tests/unit/test_clock \
        tests/unit/test_dbt \
        tests/unit/test_lock \
        tests/unit/test_log \
        tests/unit/test_memory \
        tests/unit/test_parse \
        tests/unit/test_state
endif

tests_unit_test_clock_SOURCES = tests/unit/test_clock.c tests/unit/unit.h
tests_unit_test_clock_LDADD = $(test_libs)

tests_unit_test_dbt_SOURCES = tests/unit/test_dbt.c
tests_unit_test_dbt_LDADD = $(test_libs)

tests_unit_test_lock_SOURCES = tests/unit/test_lock.c
tests_unit_test_lock_LDADD = $(test_libs)

tests_unit_test_log_SOURCES = tests/unit/test_log.c
tests_unit_test_log_LDADD = $(test_libs)

tests_unit_test_memory_SOURCES = tests/unit/test_memory.c
tests_unit_test_memory_LDADD = $(test_libs)

tests_unit_test_parse_SOURCES = tests/unit/test_parse.c src/cli/parse.c
tests_unit_test_parse_LDADD = $(test_libs)

tests_unit_test_state_SOURCES = tests/unit/test_state.c
tests_unit_test_state_LDADD = $(test_libs)
# The system half of the CPU.
if HAVE_CHECK
check_PROGRAMS += tests/unit/test_access tests/unit/test_exception tests/unit/test_paging tests/unit/test_segment
endif
tests_unit_test_access_SOURCES = tests/unit/test_access.c tests/unit/cpu_fixture.h
tests_unit_test_access_LDADD = $(test_libs)
tests_unit_test_exception_SOURCES = tests/unit/test_exception.c tests/unit/cpu_fixture.h
tests_unit_test_exception_LDADD = $(test_libs)
tests_unit_test_paging_SOURCES = tests/unit/test_paging.c tests/unit/cpu_fixture.h
tests_unit_test_paging_LDADD = $(test_libs)
tests_unit_test_segment_SOURCES = tests/unit/test_segment.c tests/unit/cpu_fixture.h
tests_unit_test_segment_LDADD = $(test_libs)

# The board's devices, tables and kernel images.
if HAVE_CHECK
check_PROGRAMS += \
        tests/unit/test_acpi \
        tests/unit/test_boot_image \
        tests/unit/test_fw_cfg \
        tests/unit/test_i8042 \
        tests/unit/test_pci \
        tests/unit/test_rtc
endif

tests_unit_test_acpi_SOURCES = tests/unit/test_acpi.c tests/unit/unit.h
tests_unit_test_acpi_LDADD = $(test_libs)

tests_unit_test_boot_image_SOURCES = tests/unit/test_boot_image.c tests/unit/unit.h
tests_unit_test_boot_image_LDADD = $(test_libs)

tests_unit_test_fw_cfg_SOURCES = tests/unit/test_fw_cfg.c tests/unit/board_fixture.h tests/unit/unit.h
tests_unit_test_fw_cfg_LDADD = $(test_libs)

tests_unit_test_i8042_SOURCES = tests/unit/test_i8042.c tests/unit/board_fixture.h tests/unit/unit.h
tests_unit_test_i8042_LDADD = $(test_libs)

tests_unit_test_pci_SOURCES = tests/unit/test_pci.c tests/unit/board_fixture.h tests/unit/unit.h
tests_unit_test_pci_LDADD = $(test_libs)

tests_unit_test_rtc_SOURCES = tests/unit/test_rtc.c tests/unit/board_fixture.h tests/unit/unit.h
tests_unit_test_rtc_LDADD = $(test_libs)
