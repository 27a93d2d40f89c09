/* Types of interfaces that matter here (IANAifType-MIB), and states (RFC 2863). */
#ifndef HT_PROBES_SNMP_IFTYPE_H
#define HT_PROBES_SNMP_IFTYPE_H

#include <stdint.h>

enum {
	IFTYPE_ETHERNET = 6,
	IFTYPE_PPP = 23,
	IFTYPE_LOOPBACK = 24,
	IFTYPE_PROP_VIRTUAL = 53,
	IFTYPE_FAST = 62,
	IFTYPE_FAST_FX = 69,
	IFTYPE_GIGABIT = 117,
	IFTYPE_TUNNEL = 131,
	IFTYPE_L2VLAN = 135,
	IFTYPE_L3VLAN = 136,
	IFTYPE_LAG = 161,
	IFTYPE_BRIDGE = 209,
};

enum { IFOPER_UP = 1, IFOPER_DOWN = 2, IFOPER_LOWER_DOWN = 7 };

/* Ethernet has had several types (RFC 3635 section 3.2.4); firmwares move between them.
 */
static inline uint32_t iftype_class(uint32_t type)
{
	return type == IFTYPE_FAST || type == IFTYPE_FAST_FX || type == IFTYPE_GIGABIT
		   ? IFTYPE_ETHERNET
		   : type;
}

#endif
