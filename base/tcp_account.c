#include "base/tcp_account.h"

/* The C library's <netinet/tcp.h> ends its struct tcp_info before what is wanted here,
 * and cannot be had beside this one. */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

bool ht_tcp_account_read(int fd, struct ht_tcp_account *out)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (fd < 0 || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		return false;
	*out = (struct ht_tcp_account){ info.tcpi_bytes_received, info.tcpi_bytes_acked,
		info.tcpi_min_rtt == UINT32_MAX ? 0 : info.tcpi_min_rtt / 1e6 };
	return true;
}
