/* mac.h - Ethernet addresses as text and bytes. */
#ifndef ANYNIC_BASE_MAC_H
#define ANYNIC_BASE_MAC_H

#include "base/util.h"

#define MAC_LEN	 6
#define MAC_TEXT 18 /* "52:54:00:12:34:56" and its NUL */

/* Six pairs of hex digits with colons (or dashes). Returns 0 or -EINVAL. */
int mac_parse(const char *text, uint8_t mac[MAC_LEN]);

/* Writes the colon form into `text` and returns it. */
const char *mac_format(const uint8_t mac[MAC_LEN], char text[MAC_TEXT]);

bool mac_is_multicast(const uint8_t mac[MAC_LEN]); /* broadcast included */
bool mac_is_zero(const uint8_t mac[MAC_LEN]);

#endif
