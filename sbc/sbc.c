/*
 * sbc.c - builds the house floor by floor, runs it, takes it down in reverse
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sbc.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/log.h"
#include "sys/sys.h"
#include "version.h"

enum {
	/* SIGTERM ends the process within 5 s whatever the peers do. */
	STOP_MS = 3000,
	STOP_POLL_MS = 20,
};

/* ---- configuration ----------------------------------------------------------- */

static void tell_errors(const struct conf_errors *errs)
{
	for (size_t i = 0; i < errs->n; i++)
		log_error("config.error", kv_s("file", errs->list[i].file),
			  kv_i("line", errs->list[i].line),
			  kv_s("text", errs->list[i].text));
}

static int load_config(const char *path, struct config **out)
{
	struct conf_errors errs = {0};
	int err = config_load(out, path, &errs);

	if (err)
		tell_errors(&errs);
	conf_errors_clear(&errs);
	return err;
}

static void apply_globals(struct sbc *sbc)
{
	const struct conf_global *g = config_global(sbc->config);

	log_setup(g->log_level, g->log_format);
	screen_set_rate(sbc->screen, g->source_rate);
	store_cdr_keep(sbc->store, g->cdr_days);
}

/* The new configuration is in force as a whole or not at all; calls stay. */
static int reload(void *arg)
{
	struct sbc *sbc = arg;
	struct config *old = sbc->config, *new;
	int err;

	sys_notify("RELOADING=1");
	err = load_config(sbc->config_path, &new);
	if (!err && listen_all(sbc, new)) {
		listen_prune(sbc, old);
		listen_all(sbc, old); /* gives sockets back to their realms */
		config_unref(new);
		err = -EADDRINUSE;
	}
	if (err) {
		log_error("config.refused", kv_s("file", sbc->config_path),
			  kv_s("err", err_name(err)));
	} else {
		listen_prune(sbc, new);
		sbc->config = new;
		dns_set_servers(sbc->dns, config_global(new)->nameservers,
				config_global(new)->n_nameservers);
		trunks_set_config(sbc->trunks, new);
		registrar_set_config(sbc->registrar, new);
		calls_set_config(sbc->calls, new);
		passes_set_config(sbc->passes, new);
		apply_globals(sbc);
		trunks_listeners_changed(sbc->trunks);
		config_unref(old);
		log_info("config.reloaded", kv_s("file", sbc->config_path));
	}
	sys_notify("READY=1");
	return err;
}

/* ---- signals ------------------------------------------------------------------- */

static void stop_poll(void *arg)
{
	struct sbc *sbc = arg;

	if ((!calls_count(sbc->calls) && !trunks_busy(sbc->trunks)) ||
	    clock_mono() >= sbc->stop_by) {
		loop_stop(sbc->loop);
		return;
	}
	timer_set(sbc->loop, &sbc->stop, STOP_POLL_MS, stop_poll, sbc);
}

static void stop(struct sbc *sbc)
{
	if (sbc->stopping)
		return;
	sbc->stopping = true;
	sbc->stop_by = clock_mono() + STOP_MS;
	sys_notify("STOPPING=1");
	log_info("sbc.stopping", kv_i("calls", calls_count(sbc->calls)));
	calls_hangup(sbc->calls, "SIP;cause=503;text=\"Shutting down\"",
		     "shutdown");
	passes_terminate(sbc->passes);
	trunks_stop(sbc->trunks);
	stop_poll(sbc);
}

static void on_signal(void *arg, int fd, unsigned events)
{
	struct sbc *sbc = arg;
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP)
		reload(sbc);
	else
		stop(sbc);
}

/* Before any thread is made, so that all of them leave signals alone. */
static int take_signals(struct sbc *sbc)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	sbc->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return sbc->signal_fd < 0 ? -errno : 0;
}

/* ---- up and down ----------------------------------------------------------------- */

static int build_lower(struct sbc *sbc)
{
	const struct conf_global *g = config_global(sbc->config);
	struct screen_conf screen = {.rate = g->source_rate};
	struct sip_conf sip = {
		.request = dispatch,
		.stray = dispatch_stray,
		.may_answer = dispatch_may_answer,
		.heard = flows_heard,
		.answered = flows_answered,
		.arg = sbc,
		.methods = 1u << SIP_SUBSCRIBE | 1u << SIP_NOTIFY |
			   1u << SIP_MESSAGE | 1u << SIP_PUBLISH,
	};
	struct store_conf store = {.dir = sbc->data_dir};
	struct media_conf media = {.workers = g->workers};
	struct dns_conf dns = {
		.servers = g->nameservers,
		.n_servers = g->n_nameservers,
	};
	int err;

	err = loop_create(&sbc->loop);
	if (!err)
		err = net_open(&sbc->net, sbc->loop, listen_changed, sbc);
	if (!err)
		err = screen_create(&sbc->screen, &screen);
	sip.loop = sbc->loop;
	media.loop = sbc->loop;
	store.loop = sbc->loop;
	sip.screen = sbc->screen;
	if (!err)
		err = sip_create(&sbc->sip, &sip);
	if (!err)
		err = sip_auth_create(&sbc->auth);
	if (!err)
		err = store_open(&sbc->store, &store);
	if (!err)
		err = media_create(&sbc->media, &media);
	dns.loop = sbc->loop;
	if (!err)
		err = dns_create(&sbc->dns, &dns);
	return err;
}

static int build_upper(struct sbc *sbc)
{
	struct registrar_conf registrar = {
		.loop = sbc->loop,
		.sip = sbc->sip,
		.auth = sbc->auth,
		.screen = sbc->screen,
		.store = sbc->store,
		.data_dir = sbc->data_dir,
		.is_on_link = flows_is_on_link,
		.trunk_at = flows_trunk_at,
		.trunk_host = flows_trunk_host,
		.moved = flows_moved,
		.away = flows_away,
		.arg = sbc,
	};
	struct calls_conf calls = {
		.loop = sbc->loop,
		.sip = sbc->sip,
		.auth = sbc->auth,
		.media = sbc->media,
		.is_on_link = flows_is_on_link,
		.record = records_keep,
		.arg = sbc,
	};
	struct passes_conf passes = {
		.loop = sbc->loop,
		.sip = sbc->sip,
		.auth = sbc->auth,
		.is_on_link = flows_is_on_link,
		.arg = sbc,
	};
	struct keepalive_conf keepalive = {
		.loop = sbc->loop,
		.ping = flows_ping,
		.event = flows_event,
		.arg = sbc,
		.speed = flows_speed(),
	};
	struct trunks_conf trunks = {
		.loop = sbc->loop,
		.sip = sbc->sip,
		.dns = sbc->dns,
		.known = flows_trunk_known,
		.arg = sbc,
	};
	int err;

	err = trunks_create(&sbc->trunks, &trunks, sbc->config);
	if (!err)
		err = keepalive_create(&sbc->keepalive, &keepalive);
	if (!err)
		err = nat_prober_create(&sbc->prober, sbc->loop, flows_kind,
					sbc);
	registrar.keepalive = sbc->keepalive;
	registrar.prober = sbc->prober;
	if (!err)
		err = registrar_create(&sbc->registrar, &registrar,
				       sbc->config);
	calls.registrar = sbc->registrar;
	calls.trunks = sbc->trunks;
	calls.keepalive = sbc->keepalive;
	if (!err)
		err = calls_create(&sbc->calls, &calls, sbc->config);
	passes.registrar = sbc->registrar;
	passes.keepalive = sbc->keepalive;
	passes.trunks = sbc->trunks;
	if (!err)
		err = passes_create(&sbc->passes, &passes, sbc->config);
	return err;
}

static int open_ctl(struct sbc *sbc)
{
	struct api_source source = {
		.sip = sbc->sip,
		.store = sbc->store,
		.media = sbc->media,
		.registrar = sbc->registrar,
		.trunks = sbc->trunks,
		.calls = sbc->calls,
		.passes = sbc->passes,
		.keepalive = sbc->keepalive,
		.config = &sbc->config,
		.ready = &sbc->ready,
		.started = sbc->started,
		.reload = reload,
		.arg = sbc,
	};
	char path[4096];

	snprintf(path, sizeof(path), "%s/ctl", sbc->data_dir);
	return ctl_open(&sbc->ctl, sbc->loop, path, &source);
}

static void tear_down(struct sbc *sbc)
{
	ctl_close(sbc->ctl);
	if (sbc->loop) {
		timer_cancel(sbc->loop, &sbc->stop);
		timer_cancel(sbc->loop, &sbc->relisten);
	}
	passes_destroy(sbc->passes);
	sbc->passes = NULL;
	calls_destroy(sbc->calls);
	sbc->calls = NULL;
	registrar_destroy(sbc->registrar);
	sbc->registrar = NULL;
	trunks_destroy(sbc->trunks);
	dns_destroy(sbc->dns);
	nat_prober_destroy(sbc->prober);
	keepalive_destroy(sbc->keepalive);
	sbc->keepalive = NULL;
	media_destroy(sbc->media);
	store_close(sbc->store);
	sip_auth_destroy(sbc->auth);
	sip_destroy(sbc->sip);
	screen_destroy(sbc->screen);
	net_close(sbc->net);
	loop_fd_remove(sbc->signals);
	loop_destroy(sbc->loop);
	config_unref(sbc->config);
	if (sbc->signal_fd >= 0)
		close(sbc->signal_fd);
}

/* The first line after all sockets are bound. */
static void tell_ready(struct sbc *sbc)
{
	char listeners[1024], text[ADDR_TEXT_MAX];
	struct sip_listener l;
	struct buf b;

	buf_init(&b, listeners, sizeof(listeners));
	for (unsigned i = 0; sip_listener_at(sbc->sip, i, &l); i++)
		buf_printf(&b, "%s%s:%s", i ? "," : "",
			   sip_transport_name(l.transport),
			   addr_fmt(&l.local, text));
	sbc->ready = true;
	log_info("sbc.ready", kv_i("pid", getpid()), kv_s("listen", listeners),
		 kv_s("version", SBC_VERSION));
	sys_notify("READY=1");
}

static int take_dir(struct sbc *sbc)
{
	int err = sys_take_dir(sbc->data_dir);

	if (!err)
		return EXIT_OK;
	log_error("data.refused", kv_s("dir", sbc->data_dir),
		  kv_s("err", err_name(err)),
		  kv_s("text", err == -EWOULDBLOCK
				       ? "another sbc is running on it"
				       : "it cannot be used"));
	if (err == -EWOULDBLOCK)
		return EXIT_CONFLICT;
	return err == -EACCES || err == -EPERM || err == -EROFS
		       ? EXIT_NO_PERMISSION
		       : EXIT_FAILED;
}

int sbc_run(const char *config_path, const char *data_dir)
{
	struct sbc sbc = {
		.config_path = config_path,
		.data_dir = data_dir,
		.signal_fd = -1,
		.started = clock_mono(),
	};
	int code, err;

	if (load_config(config_path, &sbc.config))
		return EXIT_BAD_CONFIG;
	log_setup(config_global(sbc.config)->log_level,
		  config_global(sbc.config)->log_format);
	code = take_dir(&sbc);
	if (code)
		goto down;
	sys_raise_files();
	sys_watch_crash(data_dir, sip_last_datagram);
	err = take_signals(&sbc);
	if (!err)
		err = log_thread_start();
	if (!err)
		err = build_lower(&sbc);
	if (!err)
		err = build_upper(&sbc);
	if (!err)
		err = loop_fd_add(sbc.loop, &sbc.signals, sbc.signal_fd,
				  LOOP_IN, on_signal, &sbc);
	if (!err)
		err = open_ctl(&sbc);
	if (err) {
		log_error("sbc.failed", kv_s("err", err_name(err)));
		code = EXIT_FAILED;
		goto down;
	}
	store_cdr_keep(sbc.store, config_global(sbc.config)->cdr_days);
	code = listen_all(&sbc, sbc.config);
	if (code)
		goto down;
	tell_ready(&sbc);
	trunks_start(sbc.trunks);
	loop_run(sbc.loop);
down:
	tear_down(&sbc);
	log_thread_stop();
	return code;
}
