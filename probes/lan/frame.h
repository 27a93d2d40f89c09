/* What a captured Ethernet frame says about who sent it: ARP (RFC 826) and DHCPv4
 * (RFC 2131, 2132, 3396), also behind 802.1Q and 802.1ad tags. Pure and bounded: bytes
 * in, a plain struct out, nothing allocated, no pointer into the input kept. Every byte
 * is untrusted; nothing here is believed beyond "this frame said so". */
#ifndef HT_PROBES_LAN_FRAME_H
#define HT_PROBES_LAN_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

#define FRAME_VLANS_MAX  2   /* 802.1ad carries two tags */
#define FRAME_OPTION_MAX 255 /* bytes kept of one DHCP option; longer ones are cut */
#define FRAME_ARP_LEN    42  /* bytes of an ARP frame without padding */

enum frame_kind { FRAME_OTHER, FRAME_ARP, FRAME_DHCP };
enum frame_arp_op { FRAME_ARP_REQUEST = 1, FRAME_ARP_REPLY = 2 };
enum frame_dhcp_op { FRAME_DHCP_FROM_CLIENT = 1, FRAME_DHCP_FROM_SERVER = 2 };

struct frame_arp {
	uint16_t op;
	struct ht_mac sender_mac, target_mac;
	uint32_t sender_ip, target_ip; /* host order; sender 0 in a probe (RFC 5227) */
	bool sender_differs;           /* from the frame's source: forged, or a proxy */
};

struct frame_option {
	uint8_t bytes[FRAME_OPTION_MAX];
	uint8_t len;
	bool present;
};

struct frame_dhcp {
	uint8_t op;
	uint8_t type;            /* option 53; 0 in plain BOOTP */
	struct ht_mac client;    /* chaddr */
	uint32_t ciaddr, yiaddr; /* host order, 0 when unset */
	uint32_t giaddr;         /* the relay: the client is on another network */
	uint32_t requested;      /* option 50, or 0 */
	struct frame_option hostname, vendor_class, parameters, client_id;
};

struct frame {
	enum frame_kind kind;
	struct ht_mac dst, src;
	uint16_t vlans[FRAME_VLANS_MAX]; /* outermost first */
	unsigned n_vlans;
	union {
		struct frame_arp arp;
		struct frame_dhcp dhcp;
	};
};

/* Read a whole frame, from the destination MAC on. FRAME_OTHER for all that is neither
 * ARP for IPv4 over Ethernet nor DHCP of an Ethernet client in one unfragmented
 * datagram. HT_MALFORMED for what claims to be one of these and is not (also a frame
 * shorter than its header); `out` is then untouched. */
HT_MUST_CHECK ht_err frame_parse(const uint8_t *bytes, size_t len, struct frame *out);

/* The parts of it, for frames whose link layer is already off. `src` is the frame's
 * source MAC. */
HT_MUST_CHECK ht_err frame_arp_parse(
    const uint8_t *bytes, size_t len, const struct ht_mac *src, struct frame_arp *out);
HT_MUST_CHECK ht_err frame_dhcp_parse(
    const uint8_t *bytes, size_t len, struct frame_dhcp *out);

/* Write an ARP request "who has `target`?" to everyone, from us. */
void frame_arp_request(const struct ht_mac *own_mac, uint32_t own_ip, uint32_t target,
    uint8_t out[static FRAME_ARP_LEN]);

/* Text of an option for people: valid UTF-8 without control characters ('?' stands for
 * each byte that is not), trailing NULs and blanks cut. `cap` ≥ 1; at most cap-1 bytes
 * and a NUL; never half a character. */
void frame_option_text(const struct frame_option *o, char *out, size_t cap);

/* "1,3,6,15" for the parameter list; lower-case hexadecimal for a client identifier. */
#define FRAME_LIST_TEXT (FRAME_OPTION_MAX * 4 + 1)
#define FRAME_HEX_TEXT  (FRAME_OPTION_MAX * 2 + 1)
void frame_option_list(const struct frame_option *o, char out[static FRAME_LIST_TEXT]);
void frame_option_hex(const struct frame_option *o, char out[static FRAME_HEX_TEXT]);

#endif
