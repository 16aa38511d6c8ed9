// A real server in a thread, asked by the real client and by rude ones.
#include "common/ctl/ctl.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "tests/unit/ctl_thread.h"

static struct ctl_thread world;

static void run_text(struct ctl_req *req, void *arg)
{
	struct ctl_text t = { 0 };

	assert_ptr_equal(arg, &world);
	if (ctl_req_json(req)) {
		ctl_reply_json(req, json_pack("{s:i}", "members", 3));
		return;
	}
	for (int i = 0; i < 1000; i++)
		ctl_text_add(&t, "line %d\n", i);
	ctl_reply_text_take(req, &t);
}

static void run_echo(struct ctl_req *req, void *arg)
{
	(void)arg;
	assert_null(ctl_req_word(req, 3));
	ctl_reply_text(req, ctl_req_word(req, 2));
}

static void run_fail(struct ctl_req *req, void *arg)
{
	(void)arg;
	ctl_reply_error(req, "no such group", "show crypto gdoi ks lists them");
}

static void answer_kept(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	ctl_reply_text(arg, "late");
}

static void run_later(struct ctl_req *req, void *arg)
{
	const struct timeval soon = { .tv_usec = 20000 };

	(void)arg;
	event_base_once(world.base, -1, EV_TIMEOUT, answer_kept, req, &soon);
}

static void run_latin1(struct ctl_req *req, void *arg)
{
	(void)arg;
	ctl_reply_text(req, "gr\xfc\xdf");
}

static const struct ctl_cmd table[] = {
	{ "show members", "", run_text },  { "show echo NAME", "", run_echo },
	{ "show latin1", "", run_latin1 }, { "show later", "", run_later },
	{ "show nothing", "", run_fail },  { NULL, NULL, NULL },
};

static int setup(void **state)
{
	(void)state;
	ctl_thread_start(&world, table, &world);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ctl_thread_stop(&world);
	return 0;
}

static json_t *ask(const char *line, bool json)
{
	char copy[256], err[256];
	const char *words[CTL_MAX_WORDS];
	size_t n = 0;
	json_t *a;

	strcpy(copy, line);
	for (char *w = strtok(copy, " "); w; w = strtok(NULL, " "))
		words[n++] = w;
	if (ctl_ask(world.path, words, n, json, &a, err, sizeof(err)) != 0)
		fail_msg("%s", err);
	return a;
}

static const char *str(const json_t *a, const char *key)
{
	const char *s = json_string_value(json_object_get(a, key));

	return s ? s : "";
}

static void text_question_gets_text(void **state)
{
	json_t *a = ask("sh mem", false);

	(void)state;
	assert_string_equal(str(a, "status"), "ok");
	assert_int_equal(strlen(str(a, "text")), 8890);
	json_decref(a);
}

static void json_question_gets_data(void **state)
{
	json_t *a = ask("show members", true);

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(json_object_get(a, "data"), "members")),
			 3);
	json_decref(a);
}

static void handler_sees_words_as_typed(void **state)
{
	json_t *a = ask("show echo G1", false);

	(void)state;
	assert_string_equal(str(a, "text"), "G1");
	json_decref(a);
}

static void answer_that_is_not_utf8_arrives_as_ascii(void **state)
{
	json_t *a = ask("show latin1", false);

	(void)state;
	assert_string_equal(str(a, "text"), "gr??");
	json_decref(a);
}

static void answer_may_come_later(void **state)
{
	json_t *a = ask("show later", false);

	(void)state;
	assert_string_equal(str(a, "text"), "late");
	json_decref(a);
}

static void failed_command_carries_error_and_hint(void **state)
{
	json_t *a = ask("show nothing", false);

	(void)state;
	assert_string_equal(str(a, "status"), "error");
	assert_string_equal(str(a, "code"), "failed");
	assert_string_equal(str(a, "error"), "no such group");
	assert_true(strlen(str(a, "hint")) > 0);
	json_decref(a);
}

static void wrong_words_are_told_apart(void **state)
{
	json_t *a = ask("show them", false);

	(void)state;
	assert_string_equal(str(a, "code"), "invalid");
	assert_int_equal(json_integer_value(json_object_get(a, "at")), 1);
	json_decref(a);
	a = ask("show", false);
	assert_string_equal(str(a, "code"), "incomplete");
	json_decref(a);
	a = ask("show l", false);
	assert_string_equal(str(a, "code"), "ambiguous");
	json_decref(a);
}

static void help_lists_what_may_follow(void **state)
{
	const char *const words[] = { "sh", "" };
	json_t *a;
	char err[256];

	(void)state;
	assert_int_equal(ctl_ask_help(world.path, words, 2, &a, err, sizeof(err)), 0);
	assert_int_equal(json_array_size(json_object_get(a, "next")), 5);
	json_decref(a);
}

static void nobody_listening_is_said_in_words(void **state)
{
	const char *const words[] = { "show" };
	char err[256];
	json_t *a;

	(void)state;
	assert_int_equal(ctl_ask("/tmp/no/such/socket", words, 1, false, &a, err, sizeof(err)),
			 -ENOENT);
	assert_non_null(strstr(err, "is the daemon running?"));
}

static int dial(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(sa.sun_path, world.path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static void send_frame(int fd, uint32_t len, const char *body)
{
	uint32_t len_be = htonl(len);

	assert_int_equal(send(fd, &len_be, 4, MSG_NOSIGNAL), 4);
	if (*body)
		assert_int_equal(send(fd, body, strlen(body), MSG_NOSIGNAL), strlen(body));
}

// The code of the answer, "" when the server hung up.
static void recv_code(int fd, char *code, size_t size)
{
	uint32_t len;
	char b[4096];
	json_t *a;

	code[0] = '\0';
	if (recv(fd, &len, 4, MSG_WAITALL) != 4)
		return;
	len = ntohl(len);
	assert_true(len < sizeof(b));
	assert_int_equal(recv(fd, b, len, MSG_WAITALL), len);
	a = json_loadb(b, len, 0, NULL);
	assert_non_null(a);
	snprintf(code, size, "%s", *str(a, "code") ? str(a, "code") : str(a, "status"));
	json_decref(a);
}

static void what_is_no_request_is_answered_and_cut_off(void **state)
{
	static const char *const bad[] = {
		"",
		"not json",
		"[]",
		"{\"v\":1}",
		"{\"v\":1,\"words\":[]}",
		"{\"v\":1,\"words\":[1]}",
		"{\"v\":1,\"words\":[\"\"]}",
		"{\"v\":1,\"words\":[\"a\\u0007\"]}",
		"{\"v\":1,\"words\":[\"show\"],\"help\":[\"\"]}",
		"{\"v\":1,\"words\":[\"show\"],\"format\":\"xml\"}",
		"{\"words\":[\"show\",\"members\"]}",
	};
	char code[32];

	(void)state;
	for (size_t i = 0; i < N_ELEMS(bad); i++) {
		int fd = dial();

		send_frame(fd, (uint32_t)strlen(bad[i]), bad[i]);
		recv_code(fd, code, sizeof(code));
		assert_string_equal(code, "request");
		recv_code(fd, code, sizeof(code));
		assert_string_equal(code, "");
		close(fd);
	}
}

static void huge_frame_is_refused_before_it_comes(void **state)
{
	char code[32];
	int fd = dial();

	(void)state;
	send_frame(fd, UINT32_MAX, "");
	recv_code(fd, code, sizeof(code));
	assert_string_equal(code, "request");
	close(fd);
}

static void newer_client_is_told_our_version(void **state)
{
	static const char question[] = "{\"v\":2,\"words\":[\"show\",\"members\"]}";
	char code[32];
	int fd = dial();

	(void)state;
	send_frame(fd, sizeof(question) - 1, question);
	recv_code(fd, code, sizeof(code));
	assert_string_equal(code, "version");
	// ... and may go on in version 1.
	send_frame(fd, 35, "{\"v\":1,\"words\":[\"show\",\"nothing\"]} ");
	recv_code(fd, code, sizeof(code));
	assert_string_equal(code, "failed");
	close(fd);
}

static void questions_sent_at_once_are_answered_in_order(void **state)
{
	char code[32];
	int fd = dial();

	(void)state;
	send_frame(fd, 32, "{\"v\":1,\"words\":[\"show\",\"later\"]}");
	send_frame(fd, 34, "{\"v\":1,\"words\":[\"show\",\"nothing\"]}");
	recv_code(fd, code, sizeof(code));
	assert_string_equal(code, "ok");
	recv_code(fd, code, sizeof(code));
	assert_string_equal(code, "failed");
	close(fd);
}

static void client_that_goes_away_harms_nobody(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		int fd = dial();

		send_frame(fd, 32, "{\"v\":1,\"words\":[\"show\",\"later\"]}");
		close(fd);
	}
	json_decref(ask("show later", false)); // outlives the twenty timers above
}

static void more_clients_than_places_wait_their_turn(void **state)
{
	int fd[70];

	(void)state;
	for (size_t i = 0; i < N_ELEMS(fd); i++)
		fd[i] = dial();
	for (size_t i = 0; i < N_ELEMS(fd); i++)
		close(fd[i]);
	json_decref(ask("show members", true));
}

static void socket_is_closed_to_others_and_taken_once(void **state)
{
	struct ctl_server *second;
	struct stat st;

	(void)state;
	assert_int_equal(stat(world.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(ctl_server_new(world.base, world.path, table, NULL, &second), -EADDRINUSE);
	assert_int_equal(ctl_server_new(world.base, world.dir, table, NULL, &second), -EEXIST);
	json_decref(ask("show members", true));
}

static void stale_socket_file_is_replaced(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct ctl_server *s;

	(void)state;
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/stale", world.dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd);
	assert_int_equal(ctl_server_new(world.base, sa.sun_path, table, NULL, &s), 0);
	ctl_server_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_question_gets_text),
		cmocka_unit_test(json_question_gets_data),
		cmocka_unit_test(handler_sees_words_as_typed),
		cmocka_unit_test(answer_that_is_not_utf8_arrives_as_ascii),
		cmocka_unit_test(answer_may_come_later),
		cmocka_unit_test(failed_command_carries_error_and_hint),
		cmocka_unit_test(wrong_words_are_told_apart),
		cmocka_unit_test(help_lists_what_may_follow),
		cmocka_unit_test(nobody_listening_is_said_in_words),
		cmocka_unit_test(what_is_no_request_is_answered_and_cut_off),
		cmocka_unit_test(huge_frame_is_refused_before_it_comes),
		cmocka_unit_test(newer_client_is_told_our_version),
		cmocka_unit_test(questions_sent_at_once_are_answered_in_order),
		cmocka_unit_test(client_that_goes_away_harms_nobody),
		cmocka_unit_test(more_clients_than_places_wait_their_turn),
		cmocka_unit_test(socket_is_closed_to_others_and_taken_once),
		cmocka_unit_test(stale_socket_file_is_replaced),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
