#include "port/ask.h"

#include "port/port.h"

static struct nic *nic_as(const struct port *p, enum nic_role role)
{
	for (unsigned i = 0; i < p->nics; i++)
		if (p->nic[i]->spec.role == role)
			return p->nic[i];
	return NULL;
}

static uint32_t times_ready(const struct port *p)
{
	const struct nic *transient = nic_as(p, ROLE_TRANSIENT);

	return transient ? transient->status.ready_edges : 0;
}

void port_ask_learn(struct port *p)
{
	if (p->spec.policy == POLICY_TEAM && p->rx_count)
		ask_learn(&p->ask.who, &p->rx[0], p->spec.mac);
}

bool port_ask(struct port *p)
{
	struct nic *persistent = nic_as(p, ROLE_PERSISTENT);
	struct frame f;

	if (p->stopped || !persistent || !p->ask.who.ethertype || !port_rx_waits(p) ||
	    !port_receiver_starts(p) || port_ask_answered(p))
		return false;
	ask_question(&f, &p->ask.who, p->spec.mac);
	p->ask.asked = times_ready(p);
	(void)persistent->ops->receive(persistent, &f, 1);
	return true;
}

struct nic *port_ask_answered(const struct port *p)
{
	if (!p->ask.answered || p->ask.answered != times_ready(p))
		return NULL;
	return nic_as(p, ROLE_PERSISTENT);
}

bool port_ask_takes(struct port *p, struct nic *nic, const struct frame *f)
{
	if (!p->ask.asked || !ask_is_for_asker(f, p->spec.mac))
		return false;
	if (nic->spec.role == ROLE_PERSISTENT && ask_is_answer(f, &p->ask.who)) {
		p->ask.answered = p->ask.asked;
		nic->notes.rx_ready = true; /* what waits can go */
	}
	return true;
}
