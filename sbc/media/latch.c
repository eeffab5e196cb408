/*
 * latch.c - source learning policy (RFC 7362, and its section 5 for the risks)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Who is accepted.  "May be learned": the host of SDP's c= or of the leg's SIP
 * source; with latch 'open' any host.  Ports are always learned.
 *
 *   state        packet from                     accepted
 *   nothing      host that may be learned        at once, and learned
 *   nothing      any other host                  never; three in a row are told
 *                                                (media.h, other_host)
 *   learned      the learned address and port    always
 *   learned      the same host, other port       with proof, old source silent
 *                                                for 60 ms
 *   learned      any other host, also one that   with proof, 3 in a row, old
 *                signalling never named          source silent for 500 ms
 *
 * So 'restricted' limits who may be learned first; a stream that goes on
 * elsewhere is followed by what it proves, because a NAT that was given a new
 * address mid-call could not have been named before.
 *
 * Proof: SSRC equal, sequence number 1 to 50 ahead, timestamp not behind and
 * not further ahead than the time that passed allows; so also after a long
 * silence, in which a phone's clock runs on or stands still, but its sequence
 * does not.  The row of a new host may begin while the old source has not been
 * silent for long: with short packets 500 ms are more than 50 of them.  After
 * an outage of 5 s and more, a line that had to dial in again, the sequence is
 * further ahead: then it must be the very packet that a stream which went on
 * would have reached in that time, give or take 250 ms (42 bits).
 *
 * Four claims are kept, the least recent gives way: somebody who sees the
 * stream can put off the phone's own claim only by as many packets that are
 * right in all.
 *
 * What guessing would take.  One who sees nothing of the stream has to find
 * some 60 bits, the SSRC among them.  One who knows the SSRC, from a report
 * or an earlier look, has 10 bits of sequence and 10 to 18 of timestamp
 * before him, few enough for a flood from many addresses at once while the
 * phone is silent.  So wrong proofs with the right SSRC are counted over all
 * who give them: GUESSES in GUESS_MS, and then the timestamp must be the very
 * one that follows, or (at 8000 Hz) within 100 ms of the clock: 31 to 42 bits,
 * hours of a full line.  A phone that goes on passes that too, so guessing
 * does not keep it out, as putting everybody off would.
 *
 * Where it is sent to.
 *
 *   SDP address                      before learning    after learning S
 *   unset, 0.0.0.0, multicast        nowhere            nowhere
 *   loopback, SIP from elsewhere     nowhere            S
 *   = SIP source                     SDP                host of S = SDP: SDP,
 *   public, other than SIP source    SDP                else S
 *   private, other than SIP source   nowhere, SDP with
 *                                    latch 'open'
 *
 * A private address that SIP did not come from is another network's: there it
 * may belong to anybody.  S with the host of SDP but another port is a phone
 * without NAT that sends and listens on different ports, so SDP holds; unless
 * signalling showed a NAT (a phone that learned its address by STUN, and a NAT
 * that maps each destination to its own port), then S holds.  When the one
 * turns out to be deaf (path_way.c), the other of the two is tried.
 *
 * What is no RTP (latch_raw()) proves nothing: the host that was learned is
 * final until signalling speaks again, and its port moves when it has been
 * silent for 500 ms.
 *
 * RTCP is learned on its own, from the same hosts and from where RTP now comes
 * from, and moves only to a source that speaks with the SSRC known, when the
 * old one is silent for 500 ms.
 */
#include "media/latch.h"

enum {
	SILENT_PORT_MS = 60,
	SILENT_HOST_MS = 500,
	IN_A_ROW = 3,
	SEQ_AHEAD_MAX = 50,
	SEQ_LATE_MAX = 100, /* further back is a restart, not a late packet */
	TIMESTAMP_SLACK_MS = 1000,
	TIMESTAMP_NARROW_MS = 100,
	GUESSES = 32,
	GUESS_MS = 10000,
	NARROW_TICKS_PER_MS = 8,
	OUTAGE_MS = 5000,
	OUTAGE_SLACK_MS = 250,
};

static bool is_signalled(const struct latch_rule *rule, const struct addr *from)
{
	return addr_same_host(from, &rule->sdp) ||
	       addr_same_host(from, &rule->signalling);
}

bool latch_may_speak(const struct latch *l, const struct latch_rule *rule,
		     const struct addr *from, mono_ms now)
{
	if (l->learned)
		return now - l->heard >= SILENT_PORT_MS ||
		       addr_equal(from, &l->source);
	return rule->open || is_signalled(rule, from);
}

/* Ticks per ms that the timestamps of @payload_type can advance at most: the
 * static types of RFC 3551 with 8000 Hz are known, others may be video. */
static uint32_t ticks_per_ms(uint8_t payload_type)
{
	const uint32_t at_8000 = 1 << 0 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 7 |
				 1 << 8 | 1 << 9 | 1 << 12 | 1 << 13 | 1 << 15 |
				 1 << 18;

	return payload_type < 32 && at_8000 >> payload_type & 1
		       ? NARROW_TICKS_PER_MS
		       : 96;
}

/* Could the clock of the stream have come to this in @silent ms? */
static bool is_in_time(const struct latch *l, const struct rtp_hdr *h,
		       mono_ms silent)
{
	uint64_t ticks = (uint64_t)(silent + TIMESTAMP_SLACK_MS) *
			 ticks_per_ms(h->payload_type);

	/* Half the circle is behind us, however long the silence was. */
	if (ticks > INT32_MAX)
		ticks = INT32_MAX;
	return h->timestamp - l->timestamp <= ticks;
}

/* The very timestamp of the packet that many after the newest, or what the
 * clock must show now. */
static bool is_just_in_time(const struct latch *l, const struct rtp_hdr *h,
			    mono_ms silent)
{
	uint32_t passed = h->timestamp - l->timestamp;
	uint16_t ahead = (uint16_t)(h->seq - l->seq);
	int64_t off;

	if (passed == l->frame * ahead)
		return true;
	off = (int64_t)passed - silent * NARROW_TICKS_PER_MS;
	return ticks_per_ms(h->payload_type) == NARROW_TICKS_PER_MS &&
	       off <= TIMESTAMP_NARROW_MS * NARROW_TICKS_PER_MS &&
	       off >= -TIMESTAMP_NARROW_MS * NARROW_TICKS_PER_MS;
}

/* Count a wrong proof of one who has the SSRC. */
static void note_guess(struct latch *l, mono_ms now)
{
	if (now - l->guessed > GUESS_MS) {
		l->guessed = now;
		l->guesses = 0;
	}
	if (l->guesses < GUESSES)
		l->guesses++;
}

static bool is_guessed_at(const struct latch *l, mono_ms now)
{
	return l->guesses >= GUESSES && now - l->guessed <= GUESS_MS;
}

/* Is it just the packet that a stream with a steady frame has come to? */
static bool is_after_outage(const struct latch *l, const struct rtp_hdr *h,
			    mono_ms silent)
{
	static const uint8_t rates[] = {NARROW_TICKS_PER_MS, 16, 48};
	uint32_t passed = h->timestamp - l->timestamp;
	uint16_t ahead = (uint16_t)(h->seq - l->seq);
	size_t n = ticks_per_ms(h->payload_type) == NARROW_TICKS_PER_MS
			   ? 1
			   : sizeof(rates);

	if (silent < OUTAGE_MS || !l->frame || passed != l->frame * ahead)
		return false;
	for (size_t i = 0; i < n; i++) {
		int64_t off = (int64_t)passed / rates[i] - silent;

		if (off >= -OUTAGE_SLACK_MS && off <= OUTAGE_SLACK_MS)
			return true;
	}
	return false;
}

static struct latch_claim *find_claim(struct latch *l, const struct addr *from)
{
	for (unsigned i = 0; i < l->n_claims; i++) {
		if (addr_equal(from, &l->claims[i].from))
			return &l->claims[i];
	}
	return NULL;
}

/* Does @h go on from the stream, or from what @claim (or NULL) has proved? */
static bool has_proof(struct latch *l, const struct rtp_hdr *h,
		      const struct latch_claim *claim, mono_ms now)
{
	uint16_t ahead = (uint16_t)(h->seq - (claim ? claim->seq : l->seq));
	bool is_ahead = ahead >= 1 && ahead <= SEQ_AHEAD_MAX;
	mono_ms silent = now - l->heard;

	if (h->ssrc != l->ssrc)
		return false;
	if (is_after_outage(l, h, silent))
		return true;
	if (!is_ahead || !is_in_time(l, h, silent)) {
		note_guess(l, now);
		return false;
	}
	return !is_guessed_at(l, now) || is_just_in_time(l, h, silent);
}

static void learn(struct latch *l, const struct addr *from,
		  const struct rtp_hdr *h, mono_ms now)
{
	*l = (struct latch){.source = *from,
			    .learned = true,
			    .guesses = l->guesses,
			    .seq = h->seq,
			    .ssrc = h->ssrc,
			    .timestamp = h->timestamp,
			    .frame = l->frame,
			    .heard = now,
			    .guessed = l->guessed};
}

/* The learned source goes on; whoever wanted its place starts anew. */
static void go_on(struct latch *l, const struct rtp_hdr *h, mono_ms now)
{
	bool is_same = h->ssrc == l->ssrc;

	l->heard = now;
	l->n_claims = 0;
	if (is_same && (uint16_t)(l->seq - h->seq) < SEQ_LATE_MAX)
		return;
	/* A key that is pressed has one timestamp (RFC 4733 2.3). */
	if (is_same && h->seq == (uint16_t)(l->seq + 1) &&
	    h->timestamp != l->timestamp)
		l->frame = h->timestamp - l->timestamp;
	l->seq = h->seq;
	l->ssrc = h->ssrc;
	l->timestamp = h->timestamp;
}

/* A free place, or that of the claim that was silent for longest. */
static struct latch_claim *place_claim(struct latch *l)
{
	struct latch_claim *oldest = &l->claims[0];

	if (l->n_claims < LATCH_CLAIMS) {
		oldest = &l->claims[l->n_claims++];
	} else {
		for (unsigned i = 1; i < LATCH_CLAIMS; i++) {
			if (l->claims[i].at < oldest->at)
				oldest = &l->claims[i];
		}
	}
	*oldest = (struct latch_claim){0};
	return oldest;
}

/* How many packets in a row @from has sent, with this one. */
static unsigned count_row(struct latch *l, const struct addr *from,
			  const struct rtp_hdr *h, mono_ms now)
{
	struct latch_claim *claim = find_claim(l, from);

	if (!claim)
		claim = place_claim(l);
	if (h->seq != (uint16_t)(claim->seq + 1))
		claim->row = 0;
	if (claim->row < IN_A_ROW)
		claim->row++;
	claim->from = *from;
	claim->seq = h->seq;
	claim->at = now;
	return claim->row;
}

/* Somebody else than the learned source: is the stream his now? */
static bool takes_over(struct latch *l, const struct addr *from,
		       const struct rtp_hdr *h, mono_ms now)
{
	mono_ms silent = now - l->heard;

	if (silent < SILENT_PORT_MS ||
	    !has_proof(l, h, find_claim(l, from), now))
		return false;
	if (addr_same_host(from, &l->source))
		return true;
	return count_row(l, from, h, now) >= IN_A_ROW &&
	       silent >= SILENT_HOST_MS;
}

enum latch_verdict latch_rtp(struct latch *l, const struct addr *from,
			     const struct rtp_hdr *h, mono_ms now)
{
	if (l->learned && addr_equal(from, &l->source)) {
		go_on(l, h, now);
		return LATCH_ACCEPT;
	}
	if (l->learned && !takes_over(l, from, h, now))
		return LATCH_STRANGER;
	learn(l, from, h, now);
	return LATCH_LEARNED;
}

enum latch_verdict latch_raw(struct latch *l, const struct addr *from,
			     mono_ms now)
{
	bool is_source = l->learned && addr_equal(from, &l->source);

	if (!is_source && l->learned &&
	    (!addr_same_host(from, &l->source) ||
	     now - l->heard < SILENT_HOST_MS))
		return LATCH_STRANGER;
	*l = (struct latch){.source = *from, .learned = true, .heard = now};
	return is_source ? LATCH_ACCEPT : LATCH_LEARNED;
}

bool latch_is_foreign(struct latch *l, const struct addr *from,
		      const struct rtp_hdr *h, mono_ms now)
{
	if (h->ssrc != l->ssrc)
		l->n_claims = 0;
	l->ssrc = h->ssrc;
	return count_row(l, from, h, now) >= IN_A_ROW;
}

bool latch_may_report(const struct latch_rtcp *l, const struct latch *rtp,
		      const struct latch_rule *rule, const struct addr *from)
{
	if (l->learned && addr_equal(from, &l->source))
		return true;
	if (is_signalled(rule, from) || addr_same_host(from, &rule->sdp_rtcp))
		return true;
	/* 'open' ends where RTP has shown which host it is. */
	return rtp->learned ? addr_same_host(from, &rtp->source) : rule->open;
}

enum latch_verdict latch_report(struct latch_rtcp *l, const struct addr *from,
				uint32_t ssrc, mono_ms now)
{
	bool is_known = l->learned && addr_equal(from, &l->source);

	if (l->learned && !is_known &&
	    (ssrc != l->ssrc || now - l->heard < SILENT_HOST_MS))
		return LATCH_STRANGER;
	*l = (struct latch_rtcp){
		.source = *from, .learned = true, .ssrc = ssrc, .heard = now};
	return is_known ? LATCH_ACCEPT : LATCH_LEARNED;
}

static bool is_sendable(const struct addr *sdp)
{
	switch (addr_class(sdp)) {
	case ADDR_NONE:
	case ADDR_ANY:
	case ADDR_MULTICAST:
		return false;
	default:
		return addr_port(sdp) != 0;
	}
}

/* May SDP be believed before anybody was heard from there? */
static bool is_plausible(const struct latch_rule *rule, const struct addr *sdp)
{
	if (addr_same_host(sdp, &rule->signalling))
		return true;
	switch (addr_class(sdp)) {
	case ADDR_GLOBAL:
		return true;
	case ADDR_LOOPBACK:
		return addr_class(&rule->signalling) == ADDR_LOOPBACK;
	default:
		return rule->open;
	}
}

void latch_target(struct addr *out, const struct latch_rule *rule,
		  const struct addr *sdp, const struct addr *source)
{
	*out = (struct addr){0};
	if (!is_sendable(sdp))
		return;
	if (source && (rule->behind_nat || !addr_same_host(source, sdp)))
		*out = *source;
	else if (source || is_plausible(rule, sdp))
		*out = *sdp;
}

void latch_other(struct addr *out, const struct latch_rule *rule,
		 const struct addr *sdp, const struct addr *source)
{
	struct addr first;

	latch_target(&first, rule, sdp, source);
	*out = (struct addr){0};
	if (!source || !addr_is_set(&first) || addr_equal(source, sdp))
		return;
	if (addr_equal(&first, sdp))
		*out = *source;
	else if (is_plausible(rule, sdp))
		*out = *sdp;
}
