/*
 * test_store_kill.c - kill -9 at any moment loses nothing that was acknowledged
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A child changes bindings and tells each change through a pipe, before and when
 * the store has taken it.  The parent kills it after a random number of them, opens the
 * store itself and compares, or has the next child replay what is left first.
 */
#include "store_rig.h"

#include <signal.h>
#include <sys/wait.h>

#include "core/log.h"

enum { ROUNDS = 20, IDS = 2000 };

struct change {
	uint32_t id;
	uint32_t cseq; /* 0 = deleted */
	bool is_done;
};

/* What must be in the store, and what may be: a change that was begun in each
 * life since the last look. */
struct model {
	uint32_t cseq;
	int n_maybe;
	uint32_t maybe[2];
};

static struct rig rig;
static struct rig_load load;

static void swallow(void *arg, const char *line)
{
}

static struct store *open_store(void)
{
	const struct store_conf conf = {.dir = rig.dir, .commit_ms = 4};
	struct store *s;

	return store_open(&s, &conf) == 0 ? s : NULL;
}

static bool tell(int out, struct change *c, bool is_done)
{
	c->is_done = is_done;
	return write(out, c, sizeof(*c)) == sizeof(*c);
}

/* Never returns.  A whole change per write, so that none is told in part. */
static void live_until_killed(int out, unsigned round)
{
	struct store *s = open_store();

	srandom(round);
	for (uint32_t cseq = round * 1000000 + 1; s; cseq++) {
		bool is_del = random() % 5 == 0;
		struct change c = {1 + random() % IDS, is_del ? 0 : cseq, 0};

		while (!store_has_room(s)) /* only then may it lose */
			sched_yield();
		if (!tell(out, &c, false))
			break;
		if (is_del)
			store_binding_del(s, c.id);
		else
			rig_put(s, c.id, c.cseq);
		if (!tell(out, &c, true))
			break;
	}
	_exit(1);
}

/* Take changes into @model until the pipe ends; kill @pid after @n of them. */
static void follow(pid_t pid, int in, long n, struct model *model)
{
	struct change c;

	while (read(in, &c, sizeof(c)) == sizeof(c)) {
		struct model *m = &model[c.id];

		if (c.is_done)
			*m = (struct model){.cseq = c.cseq};
		else
			m->maybe[m->n_maybe++] = c.cseq;
		if (--n == 0)
			kill(pid, SIGKILL);
	}
}

static void one_life(unsigned round, struct model *model)
{
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fds[0]);
		live_until_killed(fds[1], round);
	}
	close(fds[1]);
	follow(pid, fds[0], 1 + random() % 16000, model);
	close(fds[0]);
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status));
}

static void compare(struct model *model)
{
	struct store *s = open_store();

	assert_non_null(s);
	assert_int_equal(store_state(s), STORE_OK);
	memset(&load, 0, sizeof(load));
	assert_int_equal(store_load_bindings(s, rig_note, &load), 0);
	for (uint32_t id = 1; id <= IDS; id++) {
		struct model *m = &model[id];
		bool is_maybe = false;

		for (int i = 0; i < m->n_maybe; i++)
			is_maybe |= load.cseq[id] == m->maybe[i];
		if (!is_maybe)
			assert_int_equal(load.cseq[id], m->cseq);
		*m = (struct model){.cseq = load.cseq[id]};
	}
	store_close(s);
}

static void no_acknowledged_change_is_lost(void **state)
{
	static struct model model[IDS + 1];

	log_capture(swallow, NULL);
	rig_init(&rig);
	srandom(getpid());
	for (unsigned round = 0; round < ROUNDS; round++) {
		one_life(round, model);
		if (round % 2)
			compare(model);
	}
	rig_done(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_acknowledged_change_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
