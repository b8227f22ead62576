/* device.c - the commands that are about the whole device, and those that it declines. */
#include <errno.h>
#include <string.h>

#include "attach/vfio_user/server.h"

#define CAPS_BEGIN "{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":1048576"
_Static_assert(VU_FDS_MAX == 16 && MAX_TRANSFER == 1048576, "as the text says");

/* True when the client's text says "write_multiple":true. Nothing else in it changes what we do, so nothing else is parsed. */
static bool offers_write_multiple(const char *text)
{
	static const char key[] = "\"write_multiple\"";
	const char *p = strstr(text, key);

	if (!p)
		return false;
	p += sizeof(key) - 1;
	p += strspn(p, " \t\r\n");
	if (*p++ != ':')
		return false;
	p += strspn(p, " \t\r\n");
	return strncmp(p, "true", 4) == 0;
}

/* The fullest text that is no longer than the request's: QEMU receives the reply into the buffer of its request. */
static const char *version_text(bool write_multiple, size_t room)
{
	static const char *const texts[] = {
		CAPS_BEGIN ",\"write_multiple\":true}}",
		CAPS_BEGIN "}}",
		"{\"capabilities\":{\"max_msg_fds\":16}}",
		"{}",
	};

	for (size_t i = write_multiple ? 0 : 1; i < ARRAY_SIZE(texts); i++)
		if (strlen(texts[i]) < room)
			return texts[i];
	return NULL;
}

int serve_version(struct vfio_user *v, struct request *rq)
{
	struct vu_version version;
	const char *text = (const char *)rq->body + sizeof(version);
	size_t length = rq->size - sizeof(version);

	memcpy(&version, rq->body, sizeof(version));
	if (v->negotiated || version.major != 0)
		return -EINVAL;
	if (length && text[length - 1] != '\0')
		return -EINVAL;
	v->client_serves_dma = length && offers_write_multiple(text);
	version.minor = 0;
	memcpy(rq->reply, &version, sizeof(version));
	rq->reply_size = sizeof(version);
	const char *ours = version_text(v->client_serves_dma, length);
	if (ours) {
		memcpy(rq->reply + sizeof(version), ours, strlen(ours) + 1);
		rq->reply_size += (uint32_t)strlen(ours) + 1;
	}
	v->negotiated = true;
	return 0;
}

int serve_info(struct vfio_user *v, struct request *rq)
{
	struct vu_device_info info = { .argsz = sizeof(info),
				       .flags = VU_DEVICE_RESETS | VU_DEVICE_PCI,
				       .regions = VU_REGIONS,
				       .irqs = PCI_IRQ_INDEXES };
	uint32_t argsz;

	memcpy(&argsz, rq->body, sizeof(argsz));
	if (argsz < sizeof(info))
		return -EINVAL;
	/* QEMU maps all memory before its first question about the device: now is the time to say no */
	int rc = dma_judge_memory(v);
	if (rc < 0)
		return rc;
	memcpy(rq->reply, &info, sizeof(info));
	rq->reply_size = sizeof(info);
	return 0;
}

int serve_reset(struct vfio_user *v, struct request *rq)
{
	(void)rq;
	nic_reset(v->nic, RESET_PCI);
	return 0;
}

/* Device features (there are none to probe), dirty pages, migration data. */
int serve_unsupported(struct vfio_user *v, struct request *rq)
{
	(void)v;
	(void)rq;
	return -EOPNOTSUPP;
}
