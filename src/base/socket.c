/* SPDX-License-Identifier: GPL-2.0-or-later */
/* socket.c - what all who listen on UNIX sockets need. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/socket.h"

bool socket_is_left_over(const struct sockaddr_un *address)
{
        struct stat info;
        int fd, result, number;

        if (lstat(address->sun_path, &info) < 0 || !S_ISSOCK(info.st_mode))
                return false;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return false;
        result = connect(fd, (const struct sockaddr *)address, sizeof(*address));
        number = errno;
        close(fd);
        return result < 0 && number == ECONNREFUSED;
}
