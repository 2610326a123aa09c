/* A purchase earns points (R2, R3), which first repay the issuer's debt (R6) and then form one lot
 * with an expiry of its own (R20). */
#include "ledger/decide.h"

#include "base/int64.h"
#include "base/zone.h"

bool rule_points(const struct earn_rule *rule, int64_t eligible_minor, int64_t *points_out)
{
    *points_out = 0;
    if (rule->version == 0 || rule->numerator == 0 || eligible_minor <= 0)
        return true;
    return int64_mul_div_floor(eligible_minor, rule->numerator, rule->denominator, points_out);
}

static struct lot lot_of(const struct ledger_request *request)
{
    const struct earn_rule *rule = &request->rule;
    int64_t earned_at_us = request->facts.occurred_at_us;
    return (struct lot){
        .entry = request->key,
        .number = LOT_NUMBER,
        .issuer = request->merchant_id,
        .earned_at_us = earned_at_us,
        .expires_at_us = rule->lifetime_months == 0
                             ? LEDGER_NEVER
                             : zone_end_of_day_after_months(earned_at_us, rule->lifetime_months)};
}

/* What is left of the new points after the debt: a lot, unless it was made so long ago that it is
 * past its expiry. */
static bool keep_rest(const struct deciding *deciding, struct entry *entry, const struct lot *made,
                      int64_t rest)
{
    if (rest == 0)
        return true;
    if (made->expires_at_us <= deciding->now_us)
        return entry_add_leg(entry, LEG_EXPIRED, made, rest, deciding->arena);
    struct lot *lot = arena_copy(deciding->arena, made, sizeof *made);
    if (!lot)
        return false;
    lot_set_points(deciding->member, lot, rest);
    ledger_insert_lot(deciding->member, lot);
    next_change_note(deciding->member, lot->expires_at_us);
    return true;
}

static bool make_points(const struct deciding *deciding, struct entry *entry,
                        const struct lot *made, int64_t repaid)
{
    struct member *member = deciding->member;
    if (entry->points == 0)
        return true;
    if (!entry_add_leg(entry, LEG_MADE, made, entry->points, deciding->arena))
        return false;
    if (repaid > 0) {
        if (!entry_add_leg(entry, LEG_DEBT_REPAID, made, repaid, deciding->arena))
            return false;
        debt_repay(member, debt_find(member, made->issuer), repaid);
    }
    return keep_rest(deciding, entry, made, entry->points - repaid);
}

/* The request is lent: its lines get their shares in a copy. */
static bool share_lines(struct entry *entry, struct arena *arena)
{
    struct facts *facts = &entry->facts;
    if (facts->line_count == 0)
        return true;
    facts->lines = arena_copy(arena, facts->lines, facts->line_count * sizeof *facts->lines);
    return facts->lines && lines_share(facts->lines, facts->line_count, entry->points, arena);
}

bool decide_earn(const struct deciding *deciding)
{
    const struct ledger_request *request = deciding->request;
    const struct member *member = deciding->member;
    int64_t eligible, points, balance;
    if (!int64_sub(request->facts.amount_minor, request->facts.paid_in_points_minor, &eligible) ||
        !rule_points(&request->rule, eligible, &points) ||
        !int64_add(member->available, points, &balance))
        return refuse_recorded(deciding, RESULT_BALANCE_LIMIT, NULL);

    const struct debt *debt = debt_find(member, request->merchant_id);
    int64_t owed = debt ? debt->points : 0;
    struct lot made = lot_of(request);
    struct entry *entry = entry_create(deciding);
    if (!entry)
        return false;
    entry->points = points;
    entry->rule_version = request->rule.version;
    if (!share_lines(entry, deciding->arena) ||
        !make_points(deciding, entry, &made, points < owed ? points : owed))
        return false;
    entry_decide(deciding, entry);
    return true;
}
