#include "host/ovsdb.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define DATABASE  "Open_vSwitch"
#define RUNDIR	  "/var/run/openvswitch"
#define DEPTH_MAX 32
#define HEARD_MAX                                                                                  \
	(1u << 20) /* bytes of one answer and what comes with it; ours are well under a page */
#define CHUNK 4096
#define WAIT_MORE_MS                                                                               \
	2000 /* a "wait" operation has its own time-out on the server; ours must be later */

struct ovsdb {
	int fd;
	int64_t next_id;
	uint64_t end_ns; /* of the request under way */
	json_tokener *tokener;
	size_t heard;
	char in[CHUNK]; /* received and not yet parsed: in_at to in_end */
	size_t in_at, in_end;
};

/* --- the socket ------------------------------------------------------------------------------------------------- */

static int over(struct ovsdb *db, int code)
{
	fd_close(&db->fd);
	return code;
}

static int wait_for(struct ovsdb *db, short events)
{
	struct pollfd p = { .fd = db->fd, .events = events };
	uint64_t now = monotonic_ns();

	if (now >= db->end_ns)
		return -ETIMEDOUT;
	int rc = poll(&p, 1, (int)((db->end_ns - now) / NS_PER_MS) + 1);
	return rc < 0 && errno != EINTR ? -errno : 0;
}

static int send_all(struct ovsdb *db, const char *data, size_t length)
{
	while (length) {
		ssize_t n = send(db->fd, data, length, MSG_NOSIGNAL);
		if (n >= 0) {
			data += n;
			length -= (size_t)n;
			continue;
		}
		int rc = errno == EAGAIN ? wait_for(db, POLLOUT) : errno == EINTR ? 0 : -EPIPE;
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int send_value(struct ovsdb *db, json_object *value)
{
	const char *text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
	int rc = text ? send_all(db, text, strlen(text)) : -ENOMEM;

	json_object_put(value);
	return rc;
}

static int receive_some(struct ovsdb *db)
{
	for (;;) {
		ssize_t n = recv(db->fd, db->in, sizeof(db->in), 0);
		if (n > 0) {
			db->in_at = 0;
			db->in_end = (size_t)n;
			db->heard += (size_t)n;
			return db->heard > HEARD_MAX ? -EPROTO : 0;
		}
		if (n == 0)
			return -EPIPE;
		int rc = errno == EAGAIN ? wait_for(db, POLLIN) : errno == EINTR ? 0 : -EPIPE;
		if (rc < 0)
			return rc;
	}
}

/* The next whole value; it may come in pieces, or several in one. */
static int next_value(struct ovsdb *db, json_object **value)
{
	for (;;) {
		int rc = db->in_at == db->in_end ? receive_some(db) : 0;
		if (rc < 0)
			return rc;
		*value = json_tokener_parse_ex(db->tokener, db->in + db->in_at,
					       (int)(db->in_end - db->in_at));
		enum json_tokener_error e = json_tokener_get_error(db->tokener);
		if (e == json_tokener_continue) {
			db->in_at = db->in_end;
			continue;
		}
		if (e == json_tokener_success && json_object_is_type(*value, json_type_object)) {
			db->in_at += json_tokener_get_parse_end(db->tokener);
			return 0;
		}
		json_object_put(*value);
		*value = NULL;
		return -EPROTO;
	}
}

/* --- JSON-RPC --------------------------------------------------------------------------------------------------- */

/* The server asks now and then whether we are there. */
static int answer_echo(struct ovsdb *db, json_object *request)
{
	json_object *answer = json_object_new_object(), *id = NULL, *params = NULL;

	json_object_object_get_ex(request, "id", &id);
	json_object_object_get_ex(request, "params", &params);
	json_object_object_add(answer, "id", json_object_get(id));
	json_object_object_add(answer, "result", json_object_get(params));
	json_object_object_add(answer, "error", NULL);
	return send_value(db, answer);
}

static bool is_echo(json_object *o)
{
	json_object *method;

	return json_object_object_get_ex(o, "method", &method) &&
	       json_object_is_type(method, json_type_string) &&
	       strcmp(json_object_get_string(method), "echo") == 0;
}

static bool has_id(json_object *o, int64_t wanted)
{
	json_object *id;

	return json_object_object_get_ex(o, "id", &id) && json_object_is_type(id, json_type_int) &&
	       json_object_get_int64(id) == wanted;
}

/* Waits for the answer to request `id`; what else comes is answered or passed over. */
static int wait_answer(struct ovsdb *db, int64_t id, json_object **answer)
{
	for (;;) {
		int rc = next_value(db, answer);
		if (rc < 0)
			return rc;
		if (has_id(*answer, id))
			return 0;
		rc = is_echo(*answer) ? answer_echo(db, *answer) : 0;
		json_object_put(*answer);
		*answer = NULL;
		if (rc < 0)
			return rc;
	}
}

static int ask(struct ovsdb *db, json_object *operations, json_object **answer)
{
	json_object *request = json_object_new_object(), *params = json_object_new_array();
	int64_t id = db->next_id++;
	size_t n = json_object_array_length(operations);

	json_object_array_add(params, json_object_new_string(DATABASE));
	for (size_t i = 0; i < n; i++)
		json_object_array_add(params,
				      json_object_get(json_object_array_get_idx(operations, i)));
	json_object_object_add(request, "method", json_object_new_string("transact"));
	json_object_object_add(request, "params", params);
	json_object_object_add(request, "id", json_object_new_int64(id));
	int rc = send_value(db, request);
	return rc < 0 ? rc : wait_answer(db, id, answer);
}

/* --- what the answer says --------------------------------------------------------------------------------------- */

static void member_text(json_object *o, const char *key, char *to, size_t size)
{
	json_object *member;

	to[0] = '\0';
	if (!json_object_object_get_ex(o, key, &member) ||
	    !json_object_is_type(member, json_type_string))
		return;
	str_copy(to, size, json_object_get_string(member));
	for (char *p = to; *p; p++) /* a terminal may be where it ends */
		if (*p < ' ' || *p > '~')
			*p = '?';
}

static int refused(json_object *result, struct error *err)
{
	char word[80], details[200];

	member_text(result, "error", word, sizeof(word));
	member_text(result, "details", details, sizeof(details));
	int code = strcmp(word, "timed out") == 0	   ? -EAGAIN
		   : strcmp(word, "not allowed") == 0	   ? -EACCES
		   : strcmp(word, "unknown database") == 0 ? -ENOTSUP
							   : -EIO;
	return error_set(err, code, "Open vSwitch's database says: %s%s%s", word,
			 details[0] ? ": " : "", details);
}

static bool has_error(json_object *o, json_object **error)
{
	return json_object_object_get_ex(o, "error", error) && *error;
}

/* An object for each operation; when one fails those behind it are null, and a commit that fails adds one more (RFC 7047 4.1.3). */
static int check_results(json_object *results, size_t operations, struct error *err)
{
	json_object *error;
	size_t n = json_object_is_type(results, json_type_array) ? json_object_array_length(results)
								 : 0;

	for (size_t i = 0; i < n; i++) {
		json_object *one = json_object_array_get_idx(results, i);
		if (json_object_is_type(one, json_type_object) && has_error(one, &error))
			return refused(one, err);
		if (!json_object_is_type(one, json_type_object))
			n = 0;
	}
	return n == operations
		       ? 0
		       : error_set(err, -EPROTO, "Open vSwitch's database sent no proper answer");
}

static json_object *take_results(json_object *answer, size_t operations, struct error *err)
{
	json_object *error, *results = NULL;
	int rc = 0;

	if (has_error(answer, &error))
		rc = json_object_is_type(error, json_type_object)
			     ? refused(error, err)
			     : error_set(err, -EIO, "Open vSwitch's database refused the request");
	json_object_object_get_ex(answer, "result", &results);
	if (rc == 0)
		rc = check_results(results, operations, err);
	return rc == 0 ? json_object_get(results) : NULL;
}

static void explain(int code, struct error *err)
{
	switch (code) {
	case -ETIMEDOUT:
		error_set(err, code,
			  "Open vSwitch's database does not answer; next: systemctl status "
			  "ovsdb-server");
		break;
	case -EPIPE:
		error_set(err, code, "Open vSwitch's database closed the connection");
		break;
	case -EPROTO:
		error_set(err, code,
			  "Open vSwitch's database sent something that is no answer of OVSDB");
		break;
	default:
		error_set(err, code, "Open vSwitch's database: %s", strerror(-code));
	}
}

json_object *ovsdb_transact(struct ovsdb *db, json_object *operations, unsigned timeout_ms,
			    struct error *err)
{
	json_object *answer = NULL, *results = NULL;

	db->heard = 0;
	db->end_ns = monotonic_ns() + (timeout_ms + WAIT_MORE_MS) * NS_PER_MS;
	int rc = db->fd < 0 ? -EPIPE : ask(db, operations, &answer);
	if (rc == 0)
		results = take_results(answer, json_object_array_length(operations), err);
	else
		explain(over(db, rc), err);
	json_object_put(answer);
	json_object_put(operations);
	return results;
}

/* --- life cycle ------------------------------------------------------------------------------------------------- */

static int connect_error(const char *path, int code, struct error *err)
{
	switch (code) {
	case -ENOENT:
	case -ECONNREFUSED:
	case -ENOTDIR:
		return error_set(
			err, -ENOTSUP,
			"Open vSwitch does not run here (nobody listens on %s); next: "
			"install openvswitch-switch and start it, or set OVS_RUNDIR to the "
			"folder of its db.sock",
			path);
	case -EACCES:
	case -EPERM:
		return error_set(err, -EACCES,
				 "%s: you may not talk to Open vSwitch's database; next: run as "
				 "root",
				 path);
	case -EAGAIN:
		return error_set(err, -ETIMEDOUT,
				 "%s: Open vSwitch's database takes no more connections: does it "
				 "hang?; next: systemctl status ovsdb-server",
				 path);
	default:
		return error_set(err, code, "%s: %s", path, strerror(-code));
	}
}

struct ovsdb *ovsdb_adopt(int fd, struct error *err)
{
	struct ovsdb *db = calloc(1, sizeof(*db));
	int rc = fd_set_nonblock(fd, true);

	if (db && rc == 0)
		db->tokener = json_tokener_new_ex(DEPTH_MAX);
	if (!db || !db->tokener) {
		error_set(err, rc < 0 ? rc : -ENOMEM, "Open vSwitch's database: %s",
			  strerror(rc < 0 ? -rc : ENOMEM));
		close(fd);
		free(db);
		return NULL;
	}
	db->fd = fd;
	return db;
}

struct ovsdb *ovsdb_open(struct error *err)
{
	const char *folder = getenv("OVS_RUNDIR");
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	int len = snprintf(at.sun_path, sizeof(at.sun_path), "%s/db.sock",
			   folder && folder[0] ? folder : RUNDIR);
	if (len < 0 || (size_t)len >= sizeof(at.sun_path)) {
		error_set(err, -ENAMETOOLONG, "OVS_RUNDIR is too long for a socket's path");
		return NULL;
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&at, sizeof(at)) < 0) {
		connect_error(at.sun_path, -errno, err);
		fd_close(&fd);
		return NULL;
	}
	return ovsdb_adopt(fd, err);
}

void ovsdb_close(struct ovsdb *db)
{
	if (!db)
		return;
	fd_close(&db->fd);
	if (db->tokener)
		json_tokener_free(db->tokener);
	free(db);
}
