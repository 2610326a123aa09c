/* The commands' functions, named by the rows of the table in commands.c. Each returns an exit
 * status. */
#pragma once

#include "cli.h"

int cmd_merchant_add(struct cli *cli);
int cmd_merchant_list(struct cli *cli);
int cmd_store_add(struct cli *cli);
int cmd_store_list(struct cli *cli);
int cmd_store_import(struct cli *cli);
int cmd_terminal_add(struct cli *cli);
int cmd_terminal_list(struct cli *cli);
int cmd_rate_set(struct cli *cli);
int cmd_rate_list(struct cli *cli);
int cmd_member_enrol(struct cli *cli);
int cmd_member_find(struct cli *cli);
int cmd_member_balance(struct cli *cli);
int cmd_purchase_earn(struct cli *cli);
int cmd_points_redeem(struct cli *cli);
int cmd_points_reverse(struct cli *cli);
int cmd_owed_list(struct cli *cli);
int cmd_conservation_check(struct cli *cli);
int cmd_status(struct cli *cli);
int cmd_status_asked(struct cli *cli); /* over the network */
int cmd_completion(struct cli *cli);
int cmd_doctor(struct cli *cli);
int cmd_ping(struct cli *cli);
int cmd_cert_authority(struct cli *cli);
int cmd_cert_server(struct cli *cli);
int cmd_cert_terminal(struct cli *cli);
int cmd_cert_operator(struct cli *cli);
int cmd_bootstrap(struct cli *cli);
int cmd_replay(struct cli *cli);
int cmd_replay_setup(struct cli *cli);
int cmd_replay_simulate(struct cli *cli);
int cmd_grant_set(struct cli *cli);
int cmd_grant_revoke(struct cli *cli);
int cmd_grant_list(struct cli *cli);
int cmd_purchase_query(struct cli *cli);
int cmd_customer_list(struct cli *cli);
int cmd_customer_count(struct cli *cli);
int cmd_ref_translate(struct cli *cli);
int cmd_entry_list(struct cli *cli);
int cmd_member_disclosures(struct cli *cli);
int cmd_member_export(struct cli *cli);
int cmd_member_erase(struct cli *cli);
int cmd_standing(struct cli *cli); /* of 15 rows */
