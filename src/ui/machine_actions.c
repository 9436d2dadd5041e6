/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine_actions.c - pause, power button, reset, force off; and the question before what loses work. */
#include "base/i18n.h"
#include "ui/machine_actions.h"

#define GETTER "machine-of-window"

static LodgerMachine *machine_of(gpointer window)
{
        machine_of_window get = (machine_of_window)g_object_get_data(window, GETTER);

        return get(window);
}

GSimpleAction *window_action(gpointer window, const char *name)
{
        return G_SIMPLE_ACTION(g_action_map_lookup_action(G_ACTION_MAP(window), name));
}

/* -- The question ---------------------------------------------------------------------------------- */

struct question {
        GtkWindow *window;              /* outlives the dialog, which is destroyed with it */
        LodgerMachine *machine;
        void (*answer)(GtkWindow *window, LodgerMachine *machine);
};

static void question_answered(GtkDialog *dialog, gint response, struct question *question)
{
        GtkWindow *window = question->window;
        LodgerMachine *machine = g_object_ref(question->machine);
        void (*answer)(GtkWindow *, LodgerMachine *) = question->answer;

        gtk_widget_destroy(GTK_WIDGET(dialog));         /* frees the question */
        if (response == GTK_RESPONSE_ACCEPT)
                answer(window, machine);
        g_object_unref(machine);
}

static void question_free(gpointer opaque, GClosure *closure)
{
        struct question *question = opaque;

        (void)closure;
        g_object_unref(question->machine);
        g_free(question);
}

void machine_ask(GtkWindow *window, LodgerMachine *machine, const char *title, const char *text, const char *button,
                 void (*answer)(GtkWindow *window, LodgerMachine *machine))
{
        GtkWidget *dialog = gtk_message_dialog_new(window, GTK_DIALOG_MODAL | GTK_DIALOG_DESTROY_WITH_PARENT, GTK_MESSAGE_WARNING,
                                                   GTK_BUTTONS_NONE, title, lodger_machine_get_name(machine));
        struct question *question = g_new(struct question, 1);
        GtkWidget *accept;

        *question = (struct question){ window, g_object_ref(machine), answer };
        gtk_message_dialog_format_secondary_text(GTK_MESSAGE_DIALOG(dialog), "%s", text);
        gtk_dialog_add_button(GTK_DIALOG(dialog), _("_Cancel"), GTK_RESPONSE_CANCEL);
        accept = gtk_dialog_add_button(GTK_DIALOG(dialog), button, GTK_RESPONSE_ACCEPT);
        gtk_style_context_add_class(gtk_widget_get_style_context(accept), "destructive-action");
        gtk_dialog_set_default_response(GTK_DIALOG(dialog), GTK_RESPONSE_CANCEL);
        g_signal_connect_data(dialog, "response", G_CALLBACK(question_answered), question, question_free, 0);
        gtk_window_present(GTK_WINDOW(dialog));
}

/* -- Actions --------------------------------------------------------------------------------------- */

static void action_pause(GSimpleAction *action, GVariant *state, gpointer window)
{
        (void)action;                   /* its state follows the machine's */
        lodger_machine_pause(machine_of(window), g_variant_get_boolean(state));
}

static void action_power_button(GSimpleAction *action, GVariant *parameter, gpointer window)
{
        (void)action;
        (void)parameter;
        lodger_machine_stop(machine_of(window), FALSE);
}

static void do_reset(GtkWindow *window, LodgerMachine *machine)
{
        (void)window;
        lodger_machine_reset(machine);
}

static void do_force_off(GtkWindow *window, LodgerMachine *machine)
{
        (void)window;
        lodger_machine_stop(machine, TRUE);
}

static void action_reset(GSimpleAction *action, GVariant *parameter, gpointer window)
{
        (void)action;
        (void)parameter;
        machine_ask(window, machine_of(window), _("Reset “%s”?"), _("It starts anew at once; what its guest has not saved is lost."),
                    _("_Reset"), do_reset);
}

static void action_force_off(GSimpleAction *action, GVariant *parameter, gpointer window)
{
        (void)action;
        (void)parameter;
        machine_ask(window, machine_of(window), _("Force “%s” off?"), _("It ends at once; what its guest has not saved is lost."),
                    _("_Force Off"), do_force_off);
}

static const GActionEntry entries[] = {
        { "pause", NULL, NULL, "false", action_pause, { 0 } },
        { "power-button", action_power_button, NULL, NULL, NULL, { 0 } },
        { "reset", action_reset, NULL, NULL, NULL, { 0 } },
        { "force-off", action_force_off, NULL, NULL, NULL, { 0 } },
};

void machine_actions_update(GtkApplicationWindow *window)
{
        LodgerMachine *machine = machine_of(window);

        for (gsize i = 0; i < G_N_ELEMENTS(entries); i++)
                g_simple_action_set_enabled(window_action(window, entries[i].name), machine && lodger_machine_is_alive(machine));
        g_simple_action_set_state(window_action(window, "pause"),
                                  g_variant_new_boolean(machine && lodger_machine_get_state(machine) == LODGER_MACHINE_PAUSED));
}

void machine_actions_add(GtkApplicationWindow *window, machine_of_window machine)
{
        g_object_set_data(G_OBJECT(window), GETTER, (gpointer)machine);
        g_action_map_add_action_entries(G_ACTION_MAP(window), entries, G_N_ELEMENTS(entries), window);
}
