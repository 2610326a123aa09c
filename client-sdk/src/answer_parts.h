/* What the fillers of answer.c and answer_network.c share. A filler puts the body of its verb into
 * the box's answer, its lists into the box's arena; false: a length is wrong, or no memory.
 *
 * Included by those two alone. */
#ifndef LOYAL_SDK_ANSWER_PARTS_H
#define LOYAL_SDK_ANSWER_PARTS_H

#include "answer.h"

typedef bool filler(struct answer_box *box, const Loyal__V1__Response *response);

/* answer.c: copies n bytes; an empty field leaves what is there. False: of another length. */
bool sdk_answer_bytes(uint8_t *out, size_t n, const ProtobufCBinaryData *from);

/* answer_network.c */
filler sdk_fill_set_grant, sdk_fill_list_grants, sdk_fill_translate_refs, sdk_fill_query_purchases,
    sdk_fill_list_members_never_met, sdk_fill_count_members, sdk_fill_list_entries,
    sdk_fill_list_disclosures, sdk_fill_erase_member, sdk_fill_export_member;

#endif
