/* Reads from loyald.conf what the doctor needs. `loyald --check-config` is who judges the file;
 * here unknown names are passed over. */
#include "doctor.h"

#include <stdlib.h>
#include <string.h>

#include <confuse.h>

static void forget_errors(cfg_t *cfg, const char *format, va_list args)
{
    (void)cfg, (void)format, (void)args;
}

static void fill(struct doctor_config *config, cfg_t *cfg)
{
    struct {
        const char *name;
        char **to;
    } texts[] = {{"postgres", &config->postgres},
                 {"postgres_maintenance", &config->postgres_maintenance},
                 {"admin_listen", &config->admin_listen},
                 {"clock", &config->clock},
                 {"certificate_file", &config->certificate_file},
                 {"key_file", &config->key_file},
                 {"authority_file", &config->authority_file},
                 {"keyring_file", &config->keyring_file}};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *value = cfg_getstr(cfg, texts[i].name);

        *texts[i].to = value && value[0] ? strdup(value) : NULL;
    }
    config->workers = cfg_getint(cfg, "workers");
    config->lanes = cfg_getint(cfg, "lanes");
    config->partitions_ahead = cfg_getint(cfg, "partitions_ahead");
}

bool doctor_config_read(struct doctor *doctor, const char *path)
{
    const struct finding broken = {VERDICT_FAULT, "configuration", "loyald.conf",
                                   "The daemon does not start on a file that cannot be read.",
                                   "loyald --config FILE --check-config names line and remedy."};
    cfg_opt_t options[] = {CFG_STR("postgres", NULL, CFGF_NONE),
                           CFG_STR("postgres_maintenance", NULL, CFGF_NONE),
                           CFG_STR("admin_listen", "127.0.0.1:7401", CFGF_NONE),
                           CFG_STR("clock", "system", CFGF_NONE),
                           CFG_STR("certificate_file", NULL, CFGF_NONE),
                           CFG_STR("key_file", NULL, CFGF_NONE),
                           CFG_STR("authority_file", NULL, CFGF_NONE),
                           CFG_STR("keyring_file", NULL, CFGF_NONE),
                           CFG_INT("workers", 0, CFGF_NONE),
                           CFG_INT("lanes", 1, CFGF_NONE),
                           CFG_INT("partitions_ahead", 2, CFGF_NONE),
                           CFG_STR_LIST("listen", NULL, CFGF_NONE),
                           CFG_STR("__unknown", NULL, CFGF_NONE),
                           CFG_END()};
    cfg_t *cfg = cfg_init(options, CFGF_IGNORE_UNKNOWN);
    int result = CFG_FILE_ERROR;

    if (cfg) {
        cfg_set_error_function(cfg, forget_errors);
        result = cfg_parse(cfg, path);
    }
    if (result == CFG_SUCCESS) {
        fill(&doctor->config, cfg);
        doctor->has_config = true;
    } else {
        doctor_file(doctor, &broken, "%s %s", path,
                    result == CFG_PARSE_ERROR ? "is broken" : "cannot be read");
    }
    if (cfg)
        cfg_free(cfg);
    return doctor->has_config;
}

void doctor_config_free(struct doctor_config *config)
{
    char *texts[] = {config->postgres,       config->postgres_maintenance, config->admin_listen,
                     config->clock,          config->certificate_file,     config->key_file,
                     config->authority_file, config->keyring_file};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]);
}
