#include "cli/term.h"

#include <histedit.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "cli/line.h"

#define HISTORY_LINES 200

static char prompt_text[HOST_NAME_MAX + 2];

static char *prompt(EditLine *el)
{
	(void)el;
	return prompt_text;
}

static void prompt_init(void)
{
	char name[HOST_NAME_MAX + 1] = "conclave";

	gethostname(name, sizeof(name) - 1);
	name[strcspn(name, ".")] = '\0';
	snprintf(prompt_text, sizeof(prompt_text), "%.*s#", HOST_NAME_MAX, name);
}

// The line up to the cursor.
static void line_so_far(EditLine *el, char *out, size_t size)
{
	const LineInfo *li = el_line(el);

	snprintf(out, size, "%.*s", (int)(li->cursor - li->buffer), li->buffer);
}

static unsigned char on_help(EditLine *el, int ch)
{
	char so_far[LINE_SIZE];
	struct shell *s;

	(void)ch;
	el_get(el, EL_CLIENTDATA, &s);
	line_so_far(el, so_far, sizeof(so_far));
	fprintf(s->out, "?\n");
	shell_help(s, so_far);
	fprintf(s->out, "\n");
	return CC_REDISPLAY;
}

static unsigned char on_tab(EditLine *el, int ch)
{
	char so_far[LINE_SIZE], more[LINE_SIZE];
	struct shell *s;

	(void)ch;
	el_get(el, EL_CLIENTDATA, &s);
	line_so_far(el, so_far, sizeof(so_far));
	if (shell_complete(s, so_far, more, sizeof(more)) == 0)
		return CC_NORM;
	el_insertstr(el, more);
	return CC_REFRESH;
}

static EditLine *edit_new(struct shell *s, History *h)
{
	EditLine *el = el_init("gvsh", stdin, stdout, stderr);

	BUG_ON(!el);
	el_set(el, EL_PROMPT, prompt);
	el_set(el, EL_EDITOR, "emacs");
	el_set(el, EL_SIGNAL, 1);
	el_set(el, EL_HIST, history, h);
	el_set(el, EL_CLIENTDATA, s);
	el_set(el, EL_ADDFN, "gvsh-help", "list what may follow", on_help);
	el_set(el, EL_ADDFN, "gvsh-complete", "complete the word", on_tab);
	el_set(el, EL_BIND, "?", "gvsh-help", NULL);
	el_set(el, EL_BIND, "\t", "gvsh-complete", NULL);
	return el;
}

static enum shell_status edit_loop(struct shell *s)
{
	enum shell_status status, last = SHELL_OK;
	History *h = history_init();
	const char *typed;
	char line[LINE_SIZE];
	HistEvent ev;
	EditLine *el;
	int len;

	BUG_ON(!h);
	history(h, &ev, H_SETSIZE, HISTORY_LINES);
	history(h, &ev, H_SETUNIQUE, 1);
	el = edit_new(s, h);
	while ((typed = el_gets(el, &len)) && len > 0) {
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(typed, "\r\n"), typed);
		if (line[strspn(line, " \t")] == '\0')
			continue;
		if (!shell_hides(line))
			history(h, &ev, H_ENTER, line);
		status = shell_run(s, line);
		if (status == SHELL_EXIT)
			break;
		last = status;
	}
	explicit_bzero(line, sizeof(line));
	el_end(el);
	history_end(h);
	return last;
}

static enum shell_status plain_loop(struct shell *s)
{
	enum shell_status status, last = SHELL_OK;
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, stdin) > 0) {
		line[strcspn(line, "\r\n")] = '\0';
		status = shell_run(s, line);
		if (status == SHELL_EXIT)
			break;
		last = status;
	}
	if (line)
		explicit_bzero(line, size);
	free(line);
	return last;
}

enum shell_status term_loop(struct shell *s)
{
	if (!isatty(STDIN_FILENO)) {
		s->echo = true;
		return plain_loop(s);
	}
	prompt_init();
	s->prompt_len = strlen(prompt_text);
	s->err = s->out;
	return edit_loop(s);
}
