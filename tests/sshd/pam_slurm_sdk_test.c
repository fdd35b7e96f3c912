/*
 * A PAM module that asks the questions in its arguments and compares the answers. sshd passes the questions on one by one.
 * "slow:SECONDS" waits instead.
 *
 *     auth required .../pam_slurm_sdk_test.so [info:Take the token] [hidden:Password: =secret] [shown:Code: =123]
 */
#include <security/pam_modules.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST 8

static int starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

PAM_EXTERN int pam_sm_authenticate(pam_handle_t *pam, int flags, int argc, const char **argv)
{
    struct pam_message messages[MOST];
    const struct pam_message *asked[MOST];
    const char *expected[MOST];
    struct pam_response *answers = NULL;
    const struct pam_conv *conversation;
    int result = PAM_SUCCESS;

    (void)flags;
    if (argc < 1 || argc > MOST || pam_get_item(pam, PAM_CONV, (const void **)&conversation) != PAM_SUCCESS)
        return PAM_SERVICE_ERR;
    if (starts_with(argv[0], "slow:")) {
        sleep((unsigned)atoi(strchr(argv[0], ':') + 1));
        return PAM_AUTH_ERR;
    }
    for (int i = 0; i < argc; i++) {
        const char *colon = strchr(argv[i], ':');
        char *text;
        if (!colon || !(text = strdup(colon + 1)))
            return PAM_SERVICE_ERR;
        messages[i].msg_style = starts_with(argv[i], "info:")    ? PAM_TEXT_INFO
                                : starts_with(argv[i], "shown:") ? PAM_PROMPT_ECHO_ON
                                                                 : PAM_PROMPT_ECHO_OFF;
        messages[i].msg = text;
        expected[i] = NULL;
        char *equals = messages[i].msg_style == PAM_TEXT_INFO ? NULL : strrchr(text, '=');
        if (equals) {
            *equals = '\0';
            expected[i] = equals + 1;
        }
        asked[i] = &messages[i];
    }
    if (conversation->conv(argc, asked, &answers, conversation->appdata_ptr) != PAM_SUCCESS || !answers)
        return PAM_CONV_ERR;
    for (int i = 0; i < argc; i++) {
        if (expected[i] && (!answers[i].resp || strcmp(answers[i].resp, expected[i]) != 0))
            result = PAM_AUTH_ERR;
        free(answers[i].resp);
    }
    free(answers);
    return result;
}

PAM_EXTERN int pam_sm_setcred(pam_handle_t *pam, int flags, int argc, const char **argv)
{
    (void)pam, (void)flags, (void)argc, (void)argv;
    return PAM_SUCCESS;
}
