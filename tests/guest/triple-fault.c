/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * triple-fault.c - with no IDT any exception is a shutdown, which resets the machine: status 3.
 */
#include "guest.h"

CODE(ud, "ud2");

void guest_main(void)
{
        print("guest: triple-fault\n");
        load_idt(0);
        print("about to\n");
        try("not reached", ud);
}
