/*
 * restore.c - bindings and the store: told of changes, asked once at start,
 * given all again when it lost something
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/log.h"
#include "registrar/registrar_priv.h"

enum {
	/* The store writes pure refreshes behind within 60 s: a binding that
	 * looks expired may have been refreshed just before the crash. */
	RESTORE_GRACE_MS = 75000,
	RESYNC_MS = 1000,
	RESYNC_AT_ONCE = 250,
	RESYNC_GAP_MS = 10,
	/* Listeners are bound by then. */
	RESUME_MS = 200,
	RESUME_AT_ONCE = 50,
	/* No connection has this number: that of a binding over TCP went down
	 * with the process that had it. */
	CONN_GONE = UINT32_MAX,
};

/* ---- telling it --------------------------------------------------------------- */

static struct store_nat nat_of(struct binding *b)
{
	struct keep_info info;

	if (keepalive_look(&b->keep, &info))
		b->learned = info.learned;
	return (struct store_nat){
		.evidence = b->nat.evidence,
		.alg = (uint8_t)b->nat.alg,
		.mapping = (uint8_t)b->kind.mapping,
		.filter = (uint8_t)b->kind.filter,
		.flags = STORE_JUDGED | (b->nat.behind ? STORE_BEHIND : 0) |
			 (b->learned.answers ? STORE_ANSWERS : 0) |
			 (b->learned.inbound_holds ? STORE_INBOUND_HOLDS : 0),
		.announced = b->nat.announced,
		.floor_s = b->learned.floor_s,
		.ceiling_s = b->learned.ceiling_s,
		.interval_ms = b->learned.interval_ms,
		.phase_ms = b->learned.phase_ms,
	};
}

void restore_tell(struct binding *b)
{
	struct binding_row row = {
		.id = b->id,
		.aor = b->aor->text,
		.phone = b->aor->phone,
		.realm = b->realm,
		.contact = b->contact,
		.call_id = b->call_id,
		.cseq = b->cseq,
		.instance = b->instance,
		.reg_id = b->reg_id,
		.path = b->path,
		.user_agent = b->user_agent,
		.transport = b->flow.transport,
		.source = b->flow.remote,
		.local = b->flow.local,
		.expires_at = clock_wall() + (b->expires - clock_mono()),
		.registered_at = b->registered_at,
		.last_seen = b->last_seen,
		.nat = nat_of(b),
	};

	store_binding_put(b->owner->conf.store, &row);
}

/* ---- at start -------------------------------------------------------------------- */

/* Milliseconds that a stored binding has left, <= 0 = none.  When the wall
 * clock stands before the row was written it has not been set yet: count from
 * the moment of writing. */
static int64_t remaining_ms(const struct binding_row *row, unsigned max_s)
{
	wall_ms now = clock_wall();
	int64_t left;

	if (now < row->last_seen)
		now = row->last_seen;
	left = row->expires_at - now + RESTORE_GRACE_MS;
	return left < max_s * 1000ll ? left : max_s * 1000ll;
}

/* Numbers that another version wrote, or a damaged disk, mean nothing. */
static void take_nat(struct binding *b, const struct store_nat *nat)
{
	if (!(nat->flags & STORE_JUDGED) || nat->alg > NAT_ALG_BROKEN ||
	    nat->mapping > NAT_MAPPING_DEPENDENT ||
	    nat->filter > NAT_FILTER_PORT)
		return;
	b->nat = (struct nat_verdict){
		.evidence = nat->evidence & ((1u << NAT_EVIDENCES) - 1),
		.behind = nat->flags & STORE_BEHIND,
		.alg = (enum nat_alg)nat->alg,
		.announced = nat->announced,
	};
	b->judged_behind = b->nat.behind;
	b->kind.mapping = (enum nat_mapping)nat->mapping;
	b->kind.filter = (enum nat_filter)nat->filter;
	b->kind_asked = b->kind.mapping || b->kind.filter;
	b->learned = (struct nat_learned){
		.floor_s = nat->floor_s,
		.ceiling_s = nat->ceiling_s,
		.answers = nat->flags & STORE_ANSWERS,
		.inbound_holds = nat->flags & STORE_INBOUND_HOLDS,
		.interval_ms = nat->interval_ms,
		.phase_ms = nat->phase_ms,
	};
}

static void take_row(struct binding *b, const struct binding_row *row)
{
	b->cseq = row->cseq;
	b->reg_id = row->reg_id;
	b->flow = (struct sip_flow){
		.transport = row->transport,
		.conn = row->transport == SIP_TCP ? CONN_GONE : 0,
		.local = row->local,
		.remote = row->source,
	};
	b->to = b->flow;
	b->registered_at = row->registered_at;
	b->last_seen = row->last_seen;
	take_nat(b, &row->nat);
}

static int load_one(struct registrar *reg, const struct binding_row *row,
		    const struct conf_realm *realm, int64_t left)
{
	struct binding_input in = {
		.realm = realm,
		.contact = row->contact,
		.call_id = row->call_id,
		.instance = row->instance,
		.path = row->path,
		.user_agent = row->user_agent,
	};
	struct binding *b;
	int err = binding_make(&b, reg, row->phone, row->aor, row->id);

	if (err)
		return err;
	err = binding_set_texts(b, &in);
	if (err) {
		binding_free(b);
		return err;
	}
	take_row(b, row);
	binding_set_expiry(b, left);
	if (b->flow.transport == SIP_UDP)
		way_hold(b, realm, true);
	else
		way_set_lost(b, true); /* until the phone connects again */
	screen_promote(reg->conf.screen, &b->flow.remote, SCREEN_REGISTERED,
		       b->expires);
	return 0;
}

static void load_row(void *arg, const struct binding_row *row)
{
	struct registrar *reg = arg;
	const struct conf_realm *realm = config_realm(reg->config, row->realm);
	int64_t left = realm ? remaining_ms(row, realm->max_expires_s) : 0;
	bool wanted = binding_is_wanted(reg, row->phone, row->aor, row->realm);

	if (left <= 0 || !wanted) {
		history_not_restored(reg, row,
				     wanted && realm ? "expired" : "config");
		store_binding_del(reg->conf.store, row->id);
	} else if (load_one(reg, row, realm, left)) {
		log_error("reg.not_restored", kv_s("aor", row->aor));
	}
}

/* ---- after the start, in slices --------------------------------------------------- */

/* False: not now, the store or the probes of Contacts are busy. */
static bool resume_one(struct registrar *reg, struct binding *b)
{
	const struct conf_phone *phone =
		config_phone(reg->config, b->aor->phone);
	const struct conf_realm *realm = config_realm(reg->config, b->realm);

	if (!store_has_room(reg->conf.store) || contact_is_busy(reg))
		return false;
	history_restored(b);
	if (phone && realm && b->flow.transport == SIP_UDP) {
		struct sip_flow before = b->to;

		contact_look(b, phone);
		if (!sip_flow_equal(&before, &b->to))
			way_hold(b, realm, true);
	}
	return true;
}

static void resume(void *arg)
{
	struct registrar *reg = arg;
	unsigned n = 0;

	list_for_each (pos, &reg->all) {
		struct binding *b = list_entry(pos, struct binding, in_all);

		if (b->id <= reg->resumed)
			continue;
		if (b->id > reg->resume_last)
			return;
		if (n++ == RESUME_AT_ONCE || !resume_one(reg, b)) {
			timer_set(reg->conf.loop, &reg->resume, RESYNC_GAP_MS,
				  resume, reg);
			return;
		}
		reg->resumed = b->id;
	}
}

/* ---- when the store lost something ------------------------------------------------- */

/* Hand over some bindings again; true when there are more. */
static bool put_some(struct registrar *reg)
{
	unsigned n = 0;

	list_for_each (pos, &reg->all) {
		struct binding *b = list_entry(pos, struct binding, in_all);

		if (b->id <= reg->resynced)
			continue;
		if (n++ == RESYNC_AT_ONCE || !store_has_room(reg->conf.store))
			return true;
		reg->resynced = b->id;
		restore_tell(b);
	}
	return false;
}

/* The store lost changes while the disk was sick: hand over all again, as
 * fast as it takes them and SIP does not notice. */
static void resync(void *arg)
{
	struct registrar *reg = arg;
	struct store *store = reg->conf.store;
	bool more;

	if (!reg->resyncing && store_needs_resync(store)) {
		store_resync_begin(store);
		reg->resyncing = true;
		reg->resynced = 0;
	}
	more = (reg->resyncing || reg->is_news) && put_some(reg);
	reg->is_news &= more;
	if (reg->resyncing && !more) {
		store_resync_end(store);
		reg->resyncing = false;
	}
	timer_set(reg->conf.loop, &reg->resync,
		  more && store_has_room(store) ? RESYNC_GAP_MS : RESYNC_MS,
		  resync, reg);
}

void restore_tell_all(struct registrar *reg)
{
	reg->is_news = true;
	reg->resynced = 0;
	timer_set(reg->conf.loop, &reg->resync, RESYNC_GAP_MS, resync, reg);
}

int restore_load(struct registrar *reg)
{
	int err;

	reg->started = clock_wall();
	reg->last_id = reg->resume_last = store_max_id(reg->conf.store);
	err = store_load_bindings(reg->conf.store, load_row, reg);
	log_info("reg.restored", kv_i("bindings", reg->n));
	timer_set(reg->conf.loop, &reg->resync, RESYNC_MS, resync, reg);
	upstream_check(reg);
	if (reg->n)
		timer_set(reg->conf.loop, &reg->resume, RESUME_MS, resume, reg);
	return err;
}
