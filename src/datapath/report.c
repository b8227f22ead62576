/* report.c - what a worker tells control. One packet each; the socket is shared by all threads. */
#include <errno.h>
#include <string.h>

#include "datapath/datapath.h"

_Static_assert((unsigned)DROP_REASON_COUNT <= MSG_DROPS_MAX, "all drop reasons fit the message");

static void send_report(int fd, enum message_type type, const void *body, size_t len)
{
	/* control is gone: main sees the end of the socket and ends the process */
	(void)message_send(fd, type, 0, body, len, NULL, 0);
}

/* A guest can change a driver's status as fast as it can write registers. It may do so REPORT_BURST times at once, then
 * once in REPORT_STEP_NS; in between only the last status counts. A control process that does not read is not waited for. */
#define REPORT_BURST   32u
#define REPORT_STEP_NS (10 * NS_PER_MS)

static bool may_report(struct hosted_nic *hn, uint64_t now)
{
	uint64_t steps = (now - hn->reports_since_ns) / REPORT_STEP_NS;

	if (steps) {
		hn->reports = (unsigned)(steps >= hn->reports ? 0 : hn->reports - steps);
		hn->reports_since_ns = now;
	}
	return hn->reports < REPORT_BURST;
}

void report_status(struct hosted_nic *hn)
{
	struct nic *nic = hn->nic;
	struct driver_status *s = &nic->status;
	uint64_t now = monotonic_ns();
	struct msg_nic_status m = {
		.state = s->now.state,
		.previous = s->previous,
		.phase = s->now.phase,
		.standby = s->now.standby,
		.since_ns = now,
		.resets = s->resets,
		.bus_resets = s->bus_resets,
		.ready_edges = s->ready_edges,
		.bus_reset = s->bus_resets != hn->bus_resets_told,
		.asks = s->asks,
	};

	if (hn->report_timer.slot)
		return; /* it is told when the timer ends */
	str_copy(m.nic, sizeof(m.nic), nic->spec.id);
	str_copy(m.port, sizeof(m.port), hn->port->port.spec.id);
	str_copy(m.evidence, sizeof(m.evidence), s->now.evidence);
	if (!may_report(hn, now) || message_try_send(hn->port->worker->control_fd, MSG_NIC_STATUS,
						     &m, sizeof(m)) == -EAGAIN) {
		if (loop_timer_set(&hn->port->worker->loop, &hn->report_timer,
				   now + REPORT_STEP_NS) < 0)
			log_error("%s: out of memory for its timer", nic->spec.id);
		return;
	}
	hn->reports++;
	s->changed = s->asks = false;
	hn->bus_resets_told = s->bus_resets;
}

void report_attached(struct hosted_nic *hn)
{
	bool attached = false;
	const char *problem = "";

	if (hn->vhost) {
		attached = vhost_user_connected(hn->vhost);
		problem = vhost_user_problem(hn->vhost);
	} else if (hn->vfio) {
		attached = vfio_user_connected(hn->vfio);
		problem = vfio_user_memory_problem(hn->vfio);
	} else {
		attached = remote_stream(hn->nic)->up;
	}

	/* asked after every event of its sockets: mostly there is nothing new */
	if (attached == hn->attached_told &&
	    strncmp(problem, hn->problem_told, sizeof(hn->problem_told) - 1) == 0)
		return;
	hn->attached_told = attached;
	str_copy(hn->problem_told, sizeof(hn->problem_told), problem);

	struct msg_nic_attached m = { .attached = attached };
	str_copy(m.nic, sizeof(m.nic), hn->nic->spec.id);
	str_copy(m.port, sizeof(m.port), hn->port->port.spec.id);
	str_copy(m.problem, sizeof(m.problem), problem);
	send_report(hn->port->worker->control_fd, MSG_NIC_ATTACHED, &m, sizeof(m));
}

void report_backend(struct hosted_port *hp)
{
	struct backend *b = hp->port.backend;
	struct msg_backend_status m = { .up = b->up };

	str_copy(m.port, sizeof(m.port), hp->port.spec.id);
	str_copy(m.reason, sizeof(m.reason), b->reason);
	b->up_changed = false;
	send_report(hp->worker->control_fd, MSG_BACKEND_STATUS, &m, sizeof(m));
}

void report_counters(const struct hosted_port *hp, uint32_t seq)
{
	const struct port *p = &hp->port;
	struct msg_counters m = {
		.tx_frames = p->counters.tx_frames,
		.tx_bytes = p->counters.tx_bytes,
		.rx_frames = p->counters.rx_frames,
		.rx_bytes = p->counters.rx_bytes,
		.nics = p->nics,
		.wakeups = hp->worker->loop.wakeups,
	};

	str_copy(m.port, sizeof(m.port), p->spec.id);
	memcpy(m.drop, p->counters.drop, sizeof(p->counters.drop));
	m.drop[DROP_BACKEND] += p->backend->refused;
	for (unsigned i = 0; i < p->nics; i++) {
		const struct nic *nic = p->nic[i];
		str_copy(m.nic[i].nic, sizeof(m.nic[i].nic), nic->spec.id);
		m.nic[i].tx_frames = nic->counters.tx_frames;
		m.nic[i].tx_bytes = nic->counters.tx_bytes;
		m.nic[i].rx_frames = nic->counters.rx_frames;
		m.nic[i].rx_bytes = nic->counters.rx_bytes;
		m.nic[i].interrupts = nic->pci.interrupts;
		m.nic[i].reads = nic->pci.reads;
		m.nic[i].writes = nic->pci.writes;
		for (unsigned d = 0; d < DROP_REASON_COUNT; d++)
			m.drop[d] += nic->counters.drop[d];
	}
	(void)message_send(hp->worker->control_fd, MSG_COUNTERS, seq, &m, sizeof(m), NULL, 0);
}

void report_reply(int control_fd, uint32_t seq, int code, const struct error *err)
{
	struct msg_reply m = { .code = code };

	if (err)
		m.error = *err;
	(void)message_send(control_fd, MSG_REPLY, seq, &m, sizeof(m), NULL, 0);
}
