/* Fills operating errors. Called by whoever meets one first; never logs and never ends the process.
 */
#include "base/err.h"

#include <stdarg.h>
#include <string.h>

void err_fill(struct err *err, int code, const char *format, ...)
{
    if (!err)
        return;
    err->code = code;
    err->sqlstate[0] = '\0';
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(err->text, sizeof err->text, format, arguments);
    va_end(arguments);
    if (code == 0 || length < 0 || (size_t)length >= sizeof err->text)
        return;
    char cause[128];
    snprintf(err->text + length, sizeof err->text - (size_t)length, ": %s",
             strerror_r(code, cause, sizeof cause));
}
