/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dump.c - a block as a developer reads it: each guest instruction, and the host code made of it.
 */
#include "base/log.h"
#include "dbt/internal.h"
#ifdef HAVE_CAPSTONE
#include <capstone/capstone.h>
#endif

/* "bytes  text" of the first instruction at `bytes`; its length. */
static size_t disassemble(GString *out, unsigned bits, const uint8_t *bytes, size_t size, uint64_t address)
{
        size_t length = 1;
        char text[128] = "";
#ifdef HAVE_CAPSTONE
        static csh handles[3];
        csh *handle = &handles[bits == 64 ? 2 : bits == 32 ? 1 : 0];
        cs_insn *insn;

        if (*handle || cs_open(CS_ARCH_X86, bits == 64 ? CS_MODE_64 : bits == 32 ? CS_MODE_32 : CS_MODE_16, handle) == CS_ERR_OK) {
                if (cs_disasm(*handle, bytes, size, address, 1, &insn) == 1) {
                        length = insn->size;
                        g_snprintf(text, sizeof text, "%s %s", insn->mnemonic, insn->op_str);
                        cs_free(insn, 1);
                }
        }
#else
        (void)bits;
        (void)address;
        length = MIN(size, 8);
#endif
        for (size_t i = 0; i < length; i++)
                g_string_append_printf(out, "%02x", bytes[i]);
        g_string_append_printf(out, "  %s", text);
        return length;
}

char *dbt_describe_block(struct dbt *dbt, const struct block *block)
{
        const struct page_info page = memory_page(dbt->memory, block->gpa);
        unsigned bits = block->context->mode & MODE_CODE64 ? 64 : block->context->mode & MODE_CODE32 ? 32 : 16;
        GString *out = g_string_new(NULL);

        g_string_append_printf(out, "block %llx at %llx: %u instructions, %u bytes -> %u + %u bytes, mode %llx\n",
                               (unsigned long long)block->rip, (unsigned long long)block->gpa, block->insns, block->guest_bytes,
                               block->host_bytes, block->cold_bytes, (unsigned long long)block->context->mode);
        for (unsigned i = 0; i < block->maps; i++) {
                const struct insn_origin *map = &block->map[i];
                bool cold = i >= block->main_maps;
                const uint8_t *part = cold ? block->cold : block->checked;
                bool last = i + 1 == block->main_maps || i + 1 == block->maps;
                const uint8_t *from = part + (i ? map->host_offset : 0);
                const uint8_t *to = part + (!last ? block->map[i + 1].host_offset : cold ? block->cold_bytes : block->host_bytes);
                if (page.host && (block->gpa & ~PAGE_MASK) + map->guest_offset + map->length <= PAGE_SIZE) {
                        g_string_append_printf(out, "  %08llx  ", (unsigned long long)(block->rip + map->guest_offset));
                        disassemble(out, bits, page.host + (block->gpa & ~PAGE_MASK) + map->guest_offset, map->length,
                                    block->rip + map->guest_offset);
                        g_string_append_c(out, '\n');
                }
                while (from < to) {
                        g_string_append_printf(out, "                    %p  ", (const void *)from);
                        from += disassemble(out, 64, from, (size_t)(to - from), (uint64_t)(uintptr_t)from);
                        g_string_append_c(out, '\n');
                }
        }
        return g_string_free(out, FALSE);
}

void dbt_dump_block(struct dbt *dbt, const struct block *block)
{
        char *text = dbt_describe_block(dbt, block);

        TRACE(BLOCK, "%s", text);
        g_free(text);
}
