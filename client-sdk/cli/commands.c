/* Owns the grammar: every command is one row here, and a row is all that main.c and options.c know
 * of it. */
#include "commands.h"

#define OCCASION OPT_TILL, OPT_RECEIPT, OPT_PART, OPT_DATE, OPT_TIME
#define MEMBER   OPT_CARD, OPT_PHONE, OPT_EMAIL, OPT_REF
#define FILTER                                                                                \
    OPT_MERCHANTS, OPT_CATEGORIES, OPT_CHANNELS, OPT_FIRST_DAY, OPT_LAST_DAY, OPT_AMOUNT_MIN, \
        OPT_AMOUNT_MAX, OPT_CURRENCY

/* Whom it is about stands behind `optional`, in options that are required beside the reason. */
#define STANDING(noun, verb, summary, optional, ...)                                       \
    {                                                                                      \
        noun, verb, NULL, summary, ROLE_OPERATOR, cmd_standing, {OPT_REASON, __VA_ARGS__}, \
            {optional}, STANDING_DETAILS                                                   \
    }

#define REPLAY_COLUMNS                                                                         \
    "FILE is CSV with a header line, plain or .xz, in the order in which it is to be sent:\n"  \
    "  seq                1, 2, 3 ... ; part of each request's key\n"                          \
    "  event_time         2014-04-01T09:50:02, local time; never going back from row to row\n" \
    "  event              purchase or refund\n"                                                \
    "  member_id          a number; the member's card number is made of it\n"                  \
    "  merchant_id        the merchant's code\n"                                               \
    "  outlet_id          the store's code\n"                                                  \
    "  amount_pence       minor units of GBP, positive, of a refund too\n"                     \
    "  expense_category   the basket line's category; empty: no line\n"                        \
    "  ref_seq            of a refund: the seq of its purchase; empty: it names none\n"        \
    "  txn_id             the receipt's number\n"                                              \
    "and ref_match, posted_month, late, which are not used. The columns' order does not matter.\n"

static const char REPLAY_DETAILS[] = REPLAY_COLUMNS
    "\n"
    "Each merchant is one connection. A member's rows are sent in order, each after the answer to\n"
    "the one before; different members' rows are in flight together. A member is enrolled before\n"
    "his first row. Before a purchase of a member whose last answer showed 500 points or more, "
    "500\n"
    "are redeemed. One row in 50 is sent twice under the same key, and for one in 200 the socket "
    "is\n"
    "shut down after the bytes have left; all answers must agree. A refund without ref_seq must "
    "be\n"
    "refused as NO_ORIGINAL. The clock file is set to 23:59:59 of a day while its rows are sent "
    "and\n"
    "never goes back: a second replay gets the recorded answers. Any other answer ends the "
    "replay.\n"
    "With an operator's certificate in the profile the mean batch size is shown.";

static const char SETUP_DETAILS[] =
    REPLAY_COLUMNS "\n"
                   "Adds, as operator, every merchant, store and terminal that FILE names, makes a "
                   "certificate for\n"
                   "each terminal under the authority, and sets 1 point a whole pound for 24 "
                   "months from the first\n"
                   "day. What is there already stays.";

static const char SIMULATE_DETAILS[] =
    "Writes FILE: invented purchases of an invented town, with 48 merchants and about 1,279 "
    "members,\n"
    "shaped after published figures of a real set: how many merchants a member uses, the share of\n"
    "refunds, the share of purchases at the five largest merchants. Its first line says that it "
    "is\n"
    "simulated. The columns are those of `loyalctl replay`.";

static const char STATUS_DETAILS[] =
    "With --url or --follow it reads admin ports (admin_listen), which needs no certificate: rates "
    "and\n"
    "waiting times of the last interval. On a terminal --follow draws one live table, elsewhere it "
    "writes\n"
    "a line for each daemon and interval. A daemon that is down is shown as such. Without either "
    "it\n"
    "asks the daemon over the network, as operator, for its counters since the start.\n"
    "Exit status 1 when a daemon was down at the end.";

static const char DOCTOR_DETAILS[] =
    "Reads only. Looks at the files that loyald.conf names, at its admin port, at PostgreSQL's "
    "settings,\n"
    "and at schema, roles, partitions and duties in the database, as the role that the daemon "
    "connects as;\n"
    "with a host (--host or the profile) also at the certificate that clients are shown. "
    "--database "
    "and --url\n"
    "take the place of what loyald.conf says.\n"
    "Exit status 0: all is well; 1: there are warnings; 2: there are faults.";

static const char CERT_DETAILS[] =
    "P-256 keys and SHA-256; private keys are written with mode 0600. The fingerprint printed is "
    "the\n"
    "SHA-256 of the certificate, which the network knows the holder by.";

static const char LINE_DETAILS[] =
    "A basket line is product:category:quantity:amount, such as --line 4006381333931:pens:2:3.98\n"
    "Without --key a new one is made and shown on stderr before the request is sent: after a "
    "failure\n"
    "repeat the command with that key, and the purchase counts once.";

static const char STORE_DETAILS[] =
    "FILE is CSV with a header line: code, name and, without --merchant, merchant.";

static const char GRANT_DETAILS[] =
    "A terminal sets the grants of its own merchant while the member is served: it names him by "
    "an\n"
    "identifier, not by --ref. An operator must name the recipient and the channel. One of the\n"
    "same recipient, source and purpose takes the place of the one before. Fields: date "
    "(merchant,\n"
    "date, channel), amount (amount, currency, points), basket (lines; their amounts together "
    "with\n"
    "amount).";

static const char QUERY_DETAILS[] =
    "Shows what the member granted to this merchant for the purpose, the newest first. What is "
    "not\n"
    "granted is empty, and matches no filter. Every purchase shown is logged, and the member can\n"
    "ask for the log.";

static const char CUSTOMER_DETAILS[] =
    "Members who never bought here, granted it to this merchant, and bought elsewhere what the\n"
    "options say. Of each the newest purchases that match are shown, at most 5; --limit counts\n"
    "members.";

static const char COUNT_DETAILS[] =
    "Members who never bought here and bought elsewhere what the options say, in multiples of 5:\n"
    "those with a grant towards this merchant, and those without. A group smaller than k is told\n"
    "as such. A question that was not asked before uses up one of the day's questions.";

static const char REF_DETAILS[] =
    "FILE holds one ref a line, hexadecimal; - is the standard input. Prints each with the ref\n"
    "under the network's newest key; nothing beside it: it was not issued to this merchant.";

static const char ENTRY_DETAILS[] =
    "Of a member, the newest first, or (terminals) of a period, the oldest first. A merchant gets\n"
    "its own entries; an operator gets a member's whole history, must give a --reason, and the\n"
    "member can ask who looked.";

static const char DISCLOSURE_DETAILS[] =
    "A document to be printed: each time that records about the member were shown, to whom, why,\n"
    "and which.";

static const char EXPORT_DETAILS[] =
    "One JSON document on stdout: the ref, and every table's rows about the member.";

static const char ERASE_DETAILS[] =
    "Blanks his personal data and the facts of his entries, ends his grants and forfeits the\n"
    "points that are left; the entries stay, and every sum. It cannot be undone: hence --yes.";

static const char STANDING_DETAILS[] =
    "A merchant stands for all its stores and terminals, a store for the terminals in it. Nothing\n"
    "commits after the answer, and connections are cut within 5 seconds. Who was revoked stays "
    "so,\n"
    "and the name stays taken.";

static const char RENEWAL_DETAILS[] =
    "A terminal changes over to a new certificate, of the same name, while the old one is still "
    "good:\n"
    "renew, give the till both files, retire the old one. It stays the same terminal. At most two "
    "are\n"
    "good at a time. Connections made with one that was retired are cut within 5 seconds.";

const struct command COMMANDS[] = {
    {"merchant",
     "add",
     NULL,
     "adds a merchant",
     ROLE_OPERATOR,
     cmd_merchant_add,
     {OPT_CODE, OPT_NAME, OPT_CURRENCY},
     {OPT_NONE},
     NULL},
    {"merchant",
     "list",
     NULL,
     "lists the merchants",
     ROLE_OPERATOR,
     cmd_merchant_list,
     {OPT_NONE},
     {OPT_NONE},
     NULL},
    STANDING("merchant", "suspend", "suspends a merchant", OPT_NONE, OPT_CODE),
    STANDING("merchant", "resume", "lets a merchant take part again", OPT_NONE, OPT_CODE),
    STANDING("merchant", "revoke", "revokes a merchant for ever", OPT_NONE, OPT_CODE),
    {"store",
     "add",
     NULL,
     "adds a store of a merchant",
     ROLE_OPERATOR,
     cmd_store_add,
     {OPT_MERCHANT, OPT_CODE},
     {OPT_NAME},
     NULL},
    {"store",
     "list",
     NULL,
     "lists a merchant's stores",
     ROLE_OPERATOR,
     cmd_store_list,
     {OPT_MERCHANT},
     {OPT_NONE},
     NULL},
    {"store",
     "import",
     "FILE",
     "adds the stores of a CSV file",
     ROLE_OPERATOR,
     cmd_store_import,
     {OPT_NONE},
     {OPT_MERCHANT},
     STORE_DETAILS},
    STANDING("store", "suspend", "suspends a store", OPT_NONE, OPT_MERCHANT, OPT_CODE),
    STANDING("store", "resume", "lets a store take part again", OPT_NONE, OPT_MERCHANT, OPT_CODE),
    STANDING("store", "revoke", "revokes a store for ever", OPT_NONE, OPT_MERCHANT, OPT_CODE),
    {"terminal",
     "add",
     NULL,
     "admits a terminal by its certificate",
     ROLE_OPERATOR,
     cmd_terminal_add,
     {OPT_MERCHANT, OPT_CODE, OPT_CERTIFICATE},
     {OPT_STORE, OPT_CHANNEL},
     NULL},
    {"terminal",
     "list",
     NULL,
     "lists a merchant's terminals",
     ROLE_OPERATOR,
     cmd_terminal_list,
     {OPT_MERCHANT},
     {OPT_NONE},
     NULL},
    {"terminal",
     "renew",
     NULL,
     "admits a new certificate of a terminal beside the old one",
     ROLE_OPERATOR,
     cmd_standing,
     {OPT_REASON, OPT_MERCHANT, OPT_CODE, OPT_CERTIFICATE},
     {OPT_NONE},
     RENEWAL_DETAILS},
    {"terminal",
     "retire",
     NULL,
     "ends one of a terminal's certificates for ever",
     ROLE_OPERATOR,
     cmd_standing,
     {OPT_REASON, OPT_MERCHANT, OPT_CODE, OPT_FINGERPRINT},
     {OPT_NONE},
     RENEWAL_DETAILS},
    STANDING("terminal", "suspend", "suspends a terminal", OPT_NONE, OPT_MERCHANT, OPT_CODE),
    STANDING("terminal", "resume", "lets a terminal take part again", OPT_NONE, OPT_MERCHANT,
             OPT_CODE),
    STANDING("terminal", "revoke", "revokes a terminal for ever", OPT_NONE, OPT_MERCHANT, OPT_CODE),
    STANDING("operator", "suspend", "suspends an operator", OPT_NONE, OPT_OPERATOR),
    STANDING("operator", "resume", "lets an operator take part again", OPT_NONE, OPT_OPERATOR),
    STANDING("operator", "revoke", "revokes an operator for ever", OPT_NONE, OPT_OPERATOR),
    {"rate",
     "set",
     NULL,
     "sets what a merchant's purchases earn",
     ROLE_OPERATOR,
     cmd_rate_set,
     {OPT_MERCHANT, OPT_RATE, OPT_LIFETIME, OPT_FROM},
     {OPT_NONE},
     NULL},
    {"rate",
     "list",
     NULL,
     "lists a merchant's rates",
     ROLE_OPERATOR,
     cmd_rate_list,
     {OPT_MERCHANT},
     {OPT_NONE},
     NULL},
    {"member",
     "enrol",
     NULL,
     "enrols a member by one or more identifiers",
     ROLE_TERMINAL,
     cmd_member_enrol,
     {OPT_STORE},
     {OPT_CARD, OPT_PHONE, OPT_EMAIL, OPT_KEY},
     NULL},
    {"member",
     "find",
     NULL,
     "finds a member's ref by an identifier",
     ROLE_ANY,
     cmd_member_find,
     {OPT_NONE},
     {OPT_CARD, OPT_PHONE, OPT_EMAIL},
     NULL},
    {"member",
     "balance",
     NULL,
     "shows a member's points",
     ROLE_TERMINAL,
     cmd_member_balance,
     {OPT_NONE},
     {MEMBER},
     NULL},
    {"member",
     "disclosures",
     NULL,
     "tells what was shown about a member",
     ROLE_OPERATOR,
     cmd_member_disclosures,
     {OPT_NONE},
     {MEMBER},
     DISCLOSURE_DETAILS},
    {"member",
     "export",
     NULL,
     "prints all that is stored about a member",
     ROLE_OPERATOR,
     cmd_member_export,
     {OPT_REASON},
     {MEMBER},
     EXPORT_DETAILS},
    {"member",
     "erase",
     NULL,
     "erases a member's personal data",
     ROLE_OPERATOR,
     cmd_member_erase,
     {OPT_REASON},
     {MEMBER, OPT_YES, OPT_KEY},
     ERASE_DETAILS},
    STANDING("member", "suspend", "suspends a member", MEMBER, OPT_NONE),
    STANDING("member", "resume", "lets a member take part again", MEMBER, OPT_NONE),
    STANDING("member", "revoke", "revokes a member for ever", MEMBER, OPT_NONE),
    {"grant",
     "set",
     NULL,
     "records what a member lets a merchant see",
     ROLE_ANY,
     cmd_grant_set,
     {OPT_PURPOSE, OPT_FIELDS, OPT_UNTIL, OPT_TEXT},
     {MEMBER, OPT_SOURCE, OPT_RECIPIENT, OPT_AGREED, OPT_KEY},
     GRANT_DETAILS},
    {"grant",
     "revoke",
     NULL,
     "ends a member's grants",
     ROLE_ANY,
     cmd_grant_revoke,
     {OPT_NONE},
     {MEMBER, OPT_RECIPIENT, OPT_ALL, OPT_PURPOSE},
     "It acts on the next query. Revoking what is not there is done too."},
    {"grant",
     "list",
     NULL,
     "lists a member's grants, ended ones too",
     ROLE_ANY,
     cmd_grant_list,
     {OPT_NONE},
     {MEMBER},
     "A merchant gets the grants that it holds, an operator all."},
    {"purchase",
     "earn",
     NULL,
     "records a purchase, which earns points",
     ROLE_TERMINAL,
     cmd_purchase_earn,
     {OPT_STORE, OPT_AMOUNT, OPT_CURRENCY},
     {MEMBER, OPT_PAID_IN_POINTS, OPT_LINE, OCCASION, OPT_KEY},
     LINE_DETAILS},
    {"purchase",
     "query",
     NULL,
     "shows a member's purchases at other merchants",
     ROLE_TERMINAL,
     cmd_purchase_query,
     {OPT_PURPOSE},
     {MEMBER, FILTER, OPT_LIMIT},
     QUERY_DETAILS},
    {"customer",
     "list",
     NULL,
     "lists members never met, by what they bought",
     ROLE_TERMINAL,
     cmd_customer_list,
     {OPT_PURPOSE},
     {FILTER, OPT_LIMIT},
     CUSTOMER_DETAILS},
    {"customer",
     "count",
     NULL,
     "counts members never met",
     ROLE_TERMINAL,
     cmd_customer_count,
     {OPT_PURPOSE},
     {FILTER, OPT_K},
     COUNT_DETAILS},
    {"points",
     "redeem",
     NULL,
     "takes points of a member",
     ROLE_TERMINAL,
     cmd_points_redeem,
     {OPT_STORE, OPT_POINTS},
     {MEMBER, OCCASION, OPT_KEY},
     NULL},
    {"points",
     "reverse",
     NULL,
     "takes back a purchase (whole or by amount) or a redemption",
     ROLE_TERMINAL,
     cmd_points_reverse,
     {OPT_STORE},
     {MEMBER, OPT_ORIGINAL, OPT_ORIGINAL_KIND, OPT_WHOLE, OPT_AMOUNT, OPT_CURRENCY, OCCASION,
      OPT_KEY},
     NULL},
    {"entry",
     "list",
     NULL,
     "lists entries of the journal",
     ROLE_ANY,
     cmd_entry_list,
     {OPT_NONE},
     {MEMBER, OPT_SINCE, OPT_TO, OPT_LIMIT, OPT_REASON},
     ENTRY_DETAILS},
    {"ref",
     "translate",
     "FILE",
     "brings refs under the newest key",
     ROLE_TERMINAL,
     cmd_ref_translate,
     {OPT_NONE},
     {OPT_NONE},
     REF_DETAILS},
    {"owed",
     "list",
     NULL,
     "lists who owes whom how many points",
     ROLE_OPERATOR,
     cmd_owed_list,
     {OPT_NONE},
     {OPT_NONE},
     NULL},
    {"conservation",
     "check",
     NULL,
     "recomputes every balance and chain",
     ROLE_OPERATOR,
     cmd_conservation_check,
     {OPT_NONE},
     {OPT_BUCKETS},
     "Exit status 3 when rows disagree; they are named with their member."},
    {"status",
     NULL,
     NULL,
     "shows the daemon's state and its workers",
     ROLE_OPERATOR,
     cmd_status,
     {OPT_NONE},
     {OPT_URL, OPT_FOLLOW, OPT_INTERVAL, OPT_TIMES},
     STATUS_DETAILS},
    {"doctor",
     NULL,
     NULL,
     "looks at what a daemon leans on, with a verdict each",
     ROLE_OPERATOR,
     cmd_doctor,
     {OPT_NONE},
     {OPT_CONFIG, OPT_DATABASE, OPT_URL},
     DOCTOR_DETAILS},
    {"completion",
     NULL,
     NULL,
     "prints a script with which a shell completes loyalctl",
     ROLE_LOCAL,
     cmd_completion,
     {OPT_NONE},
     {OPT_SHELL},
     NULL},
    {"ping",
     NULL,
     NULL,
     "asks the daemon for its time",
     ROLE_ANY,
     cmd_ping,
     {OPT_NONE},
     {OPT_NONE},
     NULL},
    {"cert",
     "authority",
     NULL,
     "makes a network's certificate authority",
     ROLE_LOCAL,
     cmd_cert_authority,
     {OPT_NETWORK, OPT_OUT},
     {OPT_DAYS},
     CERT_DETAILS},
    {"cert",
     "server",
     NULL,
     "makes a daemon's certificate",
     ROLE_LOCAL,
     cmd_cert_server,
     {OPT_CA, OPT_NAMES, OPT_OUT},
     {OPT_DAYS},
     CERT_DETAILS},
    {"cert",
     "terminal",
     NULL,
     "makes a terminal's certificate",
     ROLE_LOCAL,
     cmd_cert_terminal,
     {OPT_CA, OPT_MERCHANT, OPT_CODE, OPT_OUT},
     {OPT_DAYS},
     CERT_DETAILS},
    {"cert",
     "operator",
     NULL,
     "makes an operator's certificate",
     ROLE_LOCAL,
     cmd_cert_operator,
     {OPT_CA, OPT_OPERATOR, OPT_OUT},
     {OPT_DAYS},
     CERT_DETAILS},
    {"bootstrap",
     NULL,
     NULL,
     "makes the first operator, as the database's owner",
     ROLE_LOCAL,
     cmd_bootstrap,
     {OPT_OPERATOR, OPT_CERTIFICATE},
     {OPT_DATABASE},
     "Connects to PostgreSQL, not to the daemon; whoever runs it may become loyal_owner there."},
    {"replay",
     NULL,
     "FILE",
     "sends recorded purchases as fast as the answers allow",
     ROLE_OPERATOR,
     cmd_replay,
     {OPT_BUNDLES, OPT_CLOCK},
     {OPT_ZONE},
     REPLAY_DETAILS},
    {"replay",
     "setup",
     "FILE",
     "adds the merchants, stores and terminals that a file needs",
     ROLE_OPERATOR,
     cmd_replay_setup,
     {OPT_CA, OPT_BUNDLES},
     {OPT_ZONE},
     SETUP_DETAILS},
    {"replay",
     "simulate",
     "FILE",
     "writes a file of simulated purchases",
     ROLE_LOCAL,
     cmd_replay_simulate,
     {OPT_NONE},
     {OPT_SEED, OPT_ROWS},
     SIMULATE_DETAILS},
    {.noun = NULL},
};
