/* guests.h - which guest knows which card out of the box, and what to type for it. Facts as data, each with its source. */
#ifndef ANYNIC_CONFIG_GUESTS_H
#define ANYNIC_CONFIG_GUESTS_H

#include "config/known.h"

struct guest_row {
	const char
		*name; /* what `models --guest` takes; its first word is the family: "windows-7" */
	const char *title;  /* "Windows 7, Server 2008 R2" */
	unsigned year;	    /* of the first of them */
	const char *cards;  /* with a driver of its own, the wished legacy card first; "" = none */
	const char *keys;   /* more for --nic, with its comma; "" = nothing */
	const char *note;   /* one sentence without its full stop; "" = nothing */
	const char *source; /* where that is written; several: a blank between */
};

extern const struct guest_row guest_rows[];
extern const unsigned guest_row_count;

/* Whether the guest drives this card without a driver from elsewhere. */
bool guest_knows(const struct guest_row *row, const char *model);

/* What to write after --nic: a switch port whose legacy card is the first that the guest and this program know. */
void guest_recommend(const struct guest_row *row, const struct known *known, char *to, size_t size);

/* "windows" names all its rows, "windows-7" one. */
bool guest_is_named(const struct guest_row *row, const char *name);

#endif
