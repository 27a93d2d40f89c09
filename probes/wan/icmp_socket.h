/* What every user of the monitor's ICMP sockets needs: settings and receive times. */
#ifndef HT_PROBES_WAN_ICMP_SOCKET_H
#define HT_PROBES_WAN_ICMP_SOCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "probes/wan/icmp_packet.h"

/* Only echo replies arrive, with the kernel's receive time. */
void icmp_socket_prepare(int fd, enum icmp_family family, bool raw);

/* When the kernel received a message, Unix nanoseconds; 0: it did not say. */
int64_t icmp_socket_stamp_ns(struct msghdr *m);

/* Unix time now, nanoseconds: the clock of those stamps. */
int64_t icmp_socket_wall_ns(void);

#endif
