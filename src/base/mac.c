#include "base/mac.h"

#include <errno.h>
#include <stdio.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int mac_parse(const char *text, uint8_t mac[MAC_LEN])
{
	uint8_t out[MAC_LEN];

	for (int i = 0; i < MAC_LEN; i++) {
		int high = hex_digit(text[0]);
		int low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0)
			return -EINVAL;
		out[i] = (uint8_t)(high << 4 | low);
		text += 2;
		if (i < MAC_LEN - 1 && *text != ':' && *text != '-')
			return -EINVAL;
		if (i < MAC_LEN - 1)
			text++;
	}
	if (*text != '\0')
		return -EINVAL;
	for (int i = 0; i < MAC_LEN; i++)
		mac[i] = out[i];
	return 0;
}

const char *mac_format(const uint8_t mac[MAC_LEN], char text[MAC_TEXT])
{
	snprintf(text, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		 mac[4], mac[5]);
	return text;
}

bool mac_is_multicast(const uint8_t mac[MAC_LEN])
{
	return mac[0] & 1;
}

bool mac_is_zero(const uint8_t mac[MAC_LEN])
{
	return !(mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]);
}
