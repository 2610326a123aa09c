/* The journal's form of legs. Called by the chain and by the store; changes nothing else. */
#include "ledger/legs.h"

void ledger_legs_encode(const struct leg *legs, size_t count, int64_t *values_out)
{
    for (size_t i = 0; i < count; i++, values_out += LEG_VALUES) {
        const struct leg *leg = &legs[i];
        values_out[0] = leg->kind;
        values_out[1] = (int64_t)get_u64(leg->lot_entry.bytes);
        values_out[2] = (int64_t)get_u64(leg->lot_entry.bytes + 8);
        values_out[3] = leg->lot_number;
        values_out[4] = leg->issuer;
        values_out[5] = leg->points;
        values_out[6] = time_since_2000(leg->earned_at_us);
        values_out[7] = time_since_2000(leg->expires_at_us);
    }
}

void ledger_leg_decode(const int64_t values[LEG_VALUES], struct leg *out)
{
    out->kind = values[0];
    put_u64(out->lot_entry.bytes, (uint64_t)values[1]);
    put_u64(out->lot_entry.bytes + 8, (uint64_t)values[2]);
    out->lot_number = values[3];
    out->issuer = values[4];
    out->points = values[5];
    out->earned_at_us = time_since_1970(values[6]);
    out->expires_at_us = time_since_1970(values[7]);
}
