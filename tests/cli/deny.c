/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deny.c - runs a command with system calls refused as sandboxes refuse them (traps.md T16).
 *
 *      deny WHAT... -- COMMAND ARGUMENTS
 *
 *      memfd           memfd_create() fails with EPERM
 *      exec-files      shared mappings of files with PROT_EXEC fail with EACCES, as with
 *                      vm.memfd_noexec=2 or on file systems mounted noexec
 *      exec-shared     all shared mappings with PROT_EXEC fail, and mprotect() with PROT_EXEC
 *      userfaultfd     userfaultfd() fails with EPERM
 *      modify-ldt      modify_ldt() and personality() fail with EPERM
 *
 * The dynamic loader maps code private, so it works on.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RULES_MAX = 64 };

static struct sock_filter rules[RULES_MAX];
static unsigned short count;

static void add(struct sock_filter rule)
{
        if (count < RULES_MAX)
                rules[count++] = rule;
}

static void load(size_t offset)
{
        add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void refuse(int number, int error)
{
        load(offsetof(struct seccomp_data, nr));
        add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1));
        add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error));
}

/* mmap() with PROT_EXEC and MAP_SHARED; of files only: and without MAP_ANONYMOUS. */
static void refuse_shared_code(int files_only)
{
        unsigned char rest = files_only ? 6 : 5;

        load(offsetof(struct seccomp_data, nr));
        add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, rest));
        load(offsetof(struct seccomp_data, args[2]));
        add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, (unsigned char)(rest - 2)));
        load(offsetof(struct seccomp_data, args[3]));
        if (files_only)
                add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_ANONYMOUS, 2, 0));
        add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_SHARED, 0, 1));
        add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES));
}

static void refuse_making_code(void)
{
        load(offsetof(struct seccomp_data, nr));
        add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 3));
        load(offsetof(struct seccomp_data, args[2]));
        add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1));
        add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES));
}

static int refuse_named(const char *what)
{
        if (strcmp(what, "memfd") == 0) {
                refuse(SYS_memfd_create, EPERM);
        } else if (strcmp(what, "exec-files") == 0) {
                refuse_shared_code(1);
        } else if (strcmp(what, "exec-shared") == 0) {
                refuse_shared_code(0);
                refuse_making_code();
        } else if (strcmp(what, "userfaultfd") == 0) {
                refuse(SYS_userfaultfd, EPERM);
        } else if (strcmp(what, "modify-ldt") == 0) {
                refuse(SYS_modify_ldt, EPERM);
                refuse(SYS_personality, EPERM);
        } else {
                return 0;
        }
        return 1;
}

int main(int argc, char **argv)
{
        int at = 1;

        for (; at < argc && strcmp(argv[at], "--") != 0; at++) {
                if (!refuse_named(argv[at])) {
                        fprintf(stderr, "deny: %s is unknown\n", argv[at]);
                        return 99;
                }
        }
        if (at + 1 >= argc) {
                fprintf(stderr, "usage: deny WHAT... -- COMMAND ARGUMENTS\n");
                return 99;
        }
        add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));

        struct sock_fprog program = { count, rules };
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
                perror("deny: seccomp");
                return 77;
        }
        execvp(argv[at + 1], argv + at + 1);
        perror(argv[at + 1]);
        return 99;
}
