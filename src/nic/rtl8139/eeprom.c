/* eeprom.c - what the card's EEPROM holds (RTL8139C(L)+ 7: EEPROM contents). */
#include "base/bytes.h"
#include "nic/rtl8139/rtl8139.h"

/* Words that drivers look at. */
enum {
	WORD_ID = 0,
	WORD_VENDOR = 1,
	WORD_DEVICE = 2,
	WORD_SUB_VENDOR = 3,
	WORD_SUB_DEVICE = 4,
	WORD_MAC = 7
};

void rtl8139_eeprom_fill(struct rtl8139_eeprom *e, const uint8_t mac[MAC_LEN])
{
	*e = (struct rtl8139_eeprom){ 0 };
	microwire_reset(&e->pins);
	e->word[WORD_ID] = 0x8129;
	e->word[WORD_VENDOR] = RTL8139_VENDOR;
	e->word[WORD_DEVICE] = RTL8139_DEVICE;
	e->word[WORD_SUB_VENDOR] = RTL8139_VENDOR;
	e->word[WORD_SUB_DEVICE] = RTL8139_DEVICE;
	for (size_t i = 0; i < MAC_LEN / 2; i++)
		e->word[WORD_MAC + i] = get_le16(mac + 2 * i);
}

void rtl8139_load_eeprom(struct rtl8139 *r)
{
	for (size_t i = 0; i < MAC_LEN / 2; i++)
		put_le16(r->s.kept.idr + 2 * i, r->eeprom.word[WORD_MAC + i]);
}
