/* txd.c - the layouts of transmit descriptors.
 *
 * Dword 2 of all kinds: length in the low bits, the kind (DTYP) in 23:20 when DEXT says that it has one, the command in 31:24.
 * Dword 3: status in 3:0, options in 15:8, the tag in 31:16.
 */
#include "net/headers.h"
#include "nic/intel/tx.h"

/* dword 2 */
#define CMD_EOP	      BIT(24)
#define CMD_IFCS      BIT(25)
#define CMD_IC	      BIT(26) /* legacy: checksum; else TSE */
#define CMD_TSE	      BIT(26)
#define CMD_RS	      BIT(27)
#define CMD_DEXT      BIT(29)
#define CMD_VLE	      BIT(30)
#define CMD_IDE	      BIT(31)
#define ADV_CMD_TSE   BIT(31) /* advanced: in the place of IDE */
#define DTYP(dword2)  ((dword2) >> 20 & 15)
#define LEGACY_LENGTH 0xffffu
#define DATA_LENGTH   0xfffffu
#define ADV_LENGTH    0xffffu
#define CONTEXT_TCP   BIT(24)
#define CONTEXT_IP    BIT(25)
#define ADV_MAC_STAMP BIT(19)
#define ADV_IPV4      BIT(10)
#define ADV_L4_SHIFT  11 /* 0 UDP, 1 TCP, 2 SCTP */

/* dword 3 */
#define EXT_STAMP     BIT(4) /* 82574 7.2.4.5 */
#define POPTS_IXSM    BIT(8)
#define POPTS_TXSM    BIT(9)
#define ADV_IDX_SHIFT 4
#define ADV_TSN_FIRST BIT(7)

#define DTYP_CONTEXT	 0
#define DTYP_DATA	 1
#define DTYP_ADV_CONTEXT 2
#define DTYP_ADV_DATA	 3

static uint32_t when(bool condition, uint32_t flag)
{
	return condition ? flag : 0;
}

static uint32_t common_flags(uint32_t dword2)
{
	return when(dword2 & CMD_EOP, TXD_EOP) | when(dword2 & CMD_RS, TXD_RS) |
	       when((dword2 & CMD_EOP) && !(dword2 & CMD_IFCS), TXD_NO_FCS);
}

static void decode_legacy(const struct intel_desc *raw, struct intel_txd *d)
{
	uint32_t dword2 = (uint32_t)raw->hi, dword3 = (uint32_t)(raw->hi >> 32);

	d->address = raw->lo;
	d->length = dword2 & LEGACY_LENGTH;
	d->vlan = (uint16_t)(dword3 >> 16);
	d->css = (uint8_t)(dword3 >> 8);
	d->cso = (uint8_t)(dword2 >> 16);
	d->context = 0;
	d->mac = 0;
	d->flags = common_flags(dword2) | when(dword2 & CMD_VLE, TXD_VLAN) |
		   when(dword2 & CMD_IC, TXD_CSO) | when(dword2 & CMD_IDE, TXD_IDE);
}

static void decode_context(const struct intel_desc *raw, struct intel_txd *d)
{
	uint32_t dword2 = (uint32_t)raw->hi, dword3 = (uint32_t)(raw->hi >> 32);

	d->flags = TXD_CONTEXT | when(dword2 & CMD_RS, TXD_RS) | when(dword2 & CMD_IDE, TXD_IDE);
	d->context = dword2 & CMD_TSE ? 1 : 0;
	d->set = (struct intel_tx_context){
		.ipcss = (uint8_t)raw->lo,
		.ipcso = (uint8_t)(raw->lo >> 8),
		.ipcse = (uint16_t)(raw->lo >> 16),
		.tucss = (uint8_t)(raw->lo >> 32),
		.tucso = (uint8_t)(raw->lo >> 40),
		.tucse = (uint16_t)(raw->lo >> 48),
		.hdrlen = (uint8_t)(dword3 >> 8),
		.mss = (uint16_t)(dword3 >> 16),
		.l4 = dword2 & CONTEXT_TCP ? L4_TCP : L4_UDP,
		.ipv4 = dword2 & CONTEXT_IP,
	};
}

static void decode_data(const struct intel_desc *raw, struct intel_txd *d)
{
	uint32_t dword2 = (uint32_t)raw->hi, dword3 = (uint32_t)(raw->hi >> 32);

	d->address = raw->lo;
	d->length = dword2 & DATA_LENGTH;
	d->vlan = (uint16_t)(dword3 >> 16);
	d->context = dword2 & CMD_TSE ? 1 : 0;
	d->mac = 0;
	d->flags = common_flags(dword2) | when(dword2 & CMD_VLE, TXD_VLAN) |
		   when(dword2 & CMD_TSE, TXD_TSE) | when(dword2 & CMD_IDE, TXD_IDE) |
		   when(dword3 & POPTS_IXSM, TXD_IXSM) | when(dword3 & POPTS_TXSM, TXD_TXSM) |
		   when(dword3 & EXT_STAMP, TXD_STAMP);
}

void intel_txd_decode_basic(const struct intel_desc *raw, struct intel_txd *d)
{
	uint32_t dword2 = (uint32_t)raw->hi;

	if (!(dword2 & CMD_DEXT)) {
		decode_legacy(raw, d);
	} else if (DTYP(dword2) == DTYP_DATA) {
		decode_data(raw, d);
	} else if (DTYP(dword2) == DTYP_CONTEXT) {
		decode_context(raw, d);
	} else {
		decode_legacy(raw, d); /* for its length and end; it is sent by nobody */
		d->flags |= TXD_BAD;
	}
}

static void decode_adv_context(const struct intel_desc *raw, struct intel_txd *d)
{
	static const struct {
		uint8_t l4, csum;
	} kinds[4] = {
		{ L4_UDP, UDP_CSUM }, { L4_TCP, TCP_CSUM }, { L4_SCTP, SCTP_CSUM }, { L4_OTHER, 0 }
	};
	uint32_t dword0 = (uint32_t)raw->lo, dword2 = (uint32_t)raw->hi,
		 dword3 = (uint32_t)(raw->hi >> 32);
	uint16_t mac_length = dword0 >> 9 & 0x7f, ip_length = dword0 & 0x1ff;
	unsigned kind = dword2 >> ADV_L4_SHIFT & 3;

	d->flags = TXD_CONTEXT | when(dword2 & CMD_RS, TXD_RS);
	d->context = dword3 >> ADV_IDX_SHIFT & (INTEL_TX_CONTEXTS - 1);
	d->set = (struct intel_tx_context){
		.ipcss = mac_length,
		.ipcso = (uint16_t)(mac_length + IPV4_CSUM),
		.ipcse = (uint16_t)(mac_length + ip_length - 1),
		.tucss = (uint16_t)(mac_length + ip_length),
		.tucso = (uint16_t)(mac_length + ip_length + kinds[kind].csum),
		.hdrlen = (uint16_t)(mac_length + ip_length + (dword3 >> 8 & 0xff)),
		.mss = (uint16_t)(dword3 >> 16),
		.vlan = (uint16_t)(dword0 >> 16),
		.l4 = kinds[kind].l4,
		.ipv4 = dword2 & ADV_IPV4,
		.launch = (uint32_t)(raw->lo >> 32),
		.launch_first = dword3 & ADV_TSN_FIRST,
	};
}

static void decode_adv_data(const struct intel_desc *raw, struct intel_txd *d)
{
	uint32_t dword2 = (uint32_t)raw->hi, dword3 = (uint32_t)(raw->hi >> 32);

	d->address = raw->lo;
	d->length = dword2 & ADV_LENGTH;
	d->context = dword3 >> ADV_IDX_SHIFT & (INTEL_TX_CONTEXTS - 1);
	d->mac = dword2 >> 16 & 15;
	d->flags = common_flags(dword2) | when(dword2 & CMD_VLE, TXD_VLAN | TXD_VLAN_CONTEXT) |
		   when(dword2 & ADV_CMD_TSE, TXD_TSE) | when(dword3 & POPTS_IXSM, TXD_IXSM) |
		   when(dword3 & POPTS_TXSM, TXD_TXSM) | when(dword2 & ADV_MAC_STAMP, TXD_STAMP);
}

void intel_txd_decode_advanced(const struct intel_desc *raw, struct intel_txd *d)
{
	uint32_t dword2 = (uint32_t)raw->hi;

	if (!(dword2 & CMD_DEXT)) {
		decode_legacy(raw, d);
	} else if (DTYP(dword2) == DTYP_ADV_DATA) {
		decode_adv_data(raw, d);
	} else if (DTYP(dword2) == DTYP_ADV_CONTEXT) {
		decode_adv_context(raw, d);
	} else {
		decode_legacy(raw, d);
		d->flags |= TXD_BAD;
	}
}
