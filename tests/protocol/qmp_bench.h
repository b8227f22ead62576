/* qmp_bench.h - a control socket with two ports and no datapath, served inside the test: turn() lets it work. */
#ifndef ANYNIC_TESTS_QMP_BENCH_H
#define ANYNIC_TESTS_QMP_BENCH_H

#include <json-c/json.h>

#include "control/commands.h"
#include "control/control.h"
#include "control/qmp.h"

struct bench {
	struct loop loop;
	struct control control;
	struct qmp_server *server;
	struct commands commands;
	char path[128];
};

int bench_setup(void **state);
int bench_teardown(void **state);

/* Serves what is there, until nothing happens for 5 ms. */
void turn(struct bench *b);

/* A client's blocking socket, greeting not read. */
int connect_client(struct bench *b);
/* Greeting read and qmp_capabilities done. */
int negotiated_client(struct bench *b);

void say(struct bench *b, int fd, const char *text);
void say_bytes(struct bench *b, int fd, const char *text, size_t length);

/* The next line of the server, parsed; NULL when none comes. The caller puts it. */
json_object *hear(struct bench *b, int fd);

/* Hears one message and checks its text. */
void expect(struct bench *b, int fd, const char *json);

/* Hears an error of this class whose words contain `words`. Returns its id as text, or "" (valid until the next call). */
const char *expect_error(struct bench *b, int fd, const char *class, const char *words);

/* True when the server has closed the connection (what waited is thrown away). */
bool is_closed(struct bench *b, int fd);

#endif
