/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine_list.c - watches the folder of control sockets, and the library of named machines.
 *
 * The folder is watched, and looked at every few seconds all the same: it may not be there yet, and a network file system
 * tells nothing.
 */
#include <string.h>
#include <sys/stat.h>

#include "control/place.h"
#include "library/library.h"
#include "ui/machine_list.h"

enum { SCAN_SECONDS = 3, NAME_BYTES_MAX = 64 };

struct _LodgerMachineList {
        GObject parent;
        GListStore *store;
        GFileMonitor *monitor;
        char *folder;                   /* watched */
        guint timer;
};

static GType list_item_type(GListModel *model) { (void)model; return LODGER_TYPE_MACHINE; }

static guint list_count(GListModel *model)
{
        return g_list_model_get_n_items(G_LIST_MODEL(LODGER_MACHINE_LIST(model)->store));
}

static gpointer list_item(GListModel *model, guint position)
{
        return g_list_model_get_item(G_LIST_MODEL(LODGER_MACHINE_LIST(model)->store), position);
}

static void list_interface_init(GListModelInterface *interface)
{
        interface->get_item_type = list_item_type;
        interface->get_n_items = list_count;
        interface->get_item = list_item;
}

G_DEFINE_TYPE_WITH_CODE(LodgerMachineList, lodger_machine_list, G_TYPE_OBJECT, G_IMPLEMENT_INTERFACE(G_TYPE_LIST_MODEL, list_interface_init))

/* -- Machines ------------------------------------------------------------------------------------- */

static LodgerMachine *find_at(LodgerMachineList *list, const char *name, guint *position)
{
        for (*position = 0; *position < list_count(G_LIST_MODEL(list)); ++*position) {
                LodgerMachine *machine = list_item(G_LIST_MODEL(list), *position);

                g_object_unref(machine);        /* the store has its own */
                if (!strcmp(lodger_machine_get_name(machine), name))
                        return machine;
        }
        return NULL;
}

LodgerMachine *lodger_machine_list_find(LodgerMachineList *list, const char *name)
{
        guint position;

        return find_at(list, name, &position);
}

void lodger_machine_list_remove(LodgerMachineList *list, LodgerMachine *machine)
{
        guint position;

        if (find_at(list, lodger_machine_get_name(machine), &position) == machine)
                g_list_store_remove(list->store, position);
}

static gint compare_machines(gconstpointer a, gconstpointer b, gpointer unused)
{
        (void)unused;
        return g_utf8_collate(lodger_machine_get_name((LodgerMachine *)a), lodger_machine_get_name((LodgerMachine *)b));
}

void lodger_machine_list_add(LodgerMachineList *list, LodgerMachine *machine)
{
        LodgerMachine *other = lodger_machine_list_find(list, lodger_machine_get_name(machine));

        if (other == machine)
                return;
        if (other)
                lodger_machine_list_remove(list, other);
        g_list_store_insert_sorted(list->store, machine, compare_machines, NULL);
}

/* -- Definitions ----------------------------------------------------------------------------------- */

/* Machines that are defined, running or not; one whose definition has gone, and that does not run, goes too. */
static void scan_definitions(LodgerMachineList *list)
{
        GPtrArray *names = library_list();

        for (guint i = 0; i < names->len; i++) {
                const char *name = g_ptr_array_index(names, i);
                LodgerMachine *machine = lodger_machine_list_find(list, name);

                if (machine) {
                        lodger_machine_set_defined(machine, TRUE);
                } else {
                        machine = lodger_machine_new(name);
                        lodger_machine_set_defined(machine, TRUE);
                        lodger_machine_list_add(list, machine);
                        g_object_unref(machine);
                }
        }
        g_ptr_array_unref(names);
        for (guint i = list_count(G_LIST_MODEL(list)); i-- > 0;) {
                LodgerMachine *machine = list_item(G_LIST_MODEL(list), i);

                if (lodger_machine_is_defined(machine) && !library_exists(lodger_machine_get_name(machine))) {
                        lodger_machine_set_defined(machine, FALSE);
                        if (!lodger_machine_is_alive(machine))
                                g_list_store_remove(list->store, i);
                }
                g_object_unref(machine);
        }
}

/* -- The folder ----------------------------------------------------------------------------------- */

/* Names that `lodger run --name` takes; anything else in the folder is not ours to show. */
static gboolean is_name(const char *text)
{
        if (!g_ascii_isalnum(*text) || strlen(text) > NAME_BYTES_MAX)
                return FALSE;
        for (; *text; text++)
                if (!g_ascii_isalnum(*text) && !strchr("-_.", *text))
                        return FALSE;
        return TRUE;
}

static gboolean is_socket(const char *folder, const char *name)
{
        char *path = g_build_filename(folder, name, NULL);
        struct stat info;
        gboolean is = lstat(path, &info) == 0 && S_ISSOCK(info.st_mode);

        g_free(path);
        return is;
}

static void folder_event(GFileMonitor *monitor, GFile *file, GFile *other, GFileMonitorEvent event, LodgerMachineList *list)
{
        (void)monitor;
        (void)file;
        (void)other;
        if (event == G_FILE_MONITOR_EVENT_CREATED || event == G_FILE_MONITOR_EVENT_DELETED)
                lodger_machine_list_scan(list);
}

static void folder_watch(LodgerMachineList *list, const char *folder)
{
        GFile *file;

        if (g_strcmp0(folder, list->folder) == 0 && list->monitor)
                return;
        g_clear_object(&list->monitor);
        g_free(list->folder);
        list->folder = g_strdup(folder);
        file = g_file_new_for_path(folder);
        list->monitor = g_file_monitor_directory(file, G_FILE_MONITOR_NONE, NULL, NULL);
        if (list->monitor)
                g_signal_connect(list->monitor, "changed", G_CALLBACK(folder_event), list);
        g_object_unref(file);
}

void lodger_machine_list_scan(LodgerMachineList *list)
{
        char *folder = place_folder(FALSE, NULL);
        GDir *entries = folder ? g_dir_open(folder, 0, NULL) : NULL;
        const char *name;

        scan_definitions(list);
        if (entries)
                folder_watch(list, folder);
        while (entries && (name = g_dir_read_name(entries))) {
                LodgerMachine *known, *machine;

                if (!is_name(name) || !is_socket(folder, name))
                        continue;
                known = lodger_machine_list_find(list, name);
                if (!known) {
                        machine = lodger_machine_new(name);
                        lodger_machine_list_add(list, machine);
                        lodger_machine_connect(machine);
                        g_object_unref(machine);
                } else if (!lodger_machine_is_alive(known)) {
                        lodger_machine_connect(known);          /* does nothing while it is being reached */
                }
        }
        if (entries)
                g_dir_close(entries);
        g_free(folder);
}

static gboolean list_tick(gpointer list)
{
        lodger_machine_list_scan(list);
        return G_SOURCE_CONTINUE;
}

/* -- Object --------------------------------------------------------------------------------------- */

static void store_changed(GListModel *store, guint position, guint removed, guint added, LodgerMachineList *list)
{
        (void)store;
        g_list_model_items_changed(G_LIST_MODEL(list), position, removed, added);
}

static void lodger_machine_list_dispose(GObject *object)
{
        LodgerMachineList *list = LODGER_MACHINE_LIST(object);

        g_clear_handle_id(&list->timer, g_source_remove);
        g_clear_object(&list->monitor);
        g_clear_object(&list->store);
        g_clear_pointer(&list->folder, g_free);
        G_OBJECT_CLASS(lodger_machine_list_parent_class)->dispose(object);
}

static void lodger_machine_list_class_init(LodgerMachineListClass *class)
{
        G_OBJECT_CLASS(class)->dispose = lodger_machine_list_dispose;
}

static void lodger_machine_list_init(LodgerMachineList *list)
{
        list->store = g_list_store_new(LODGER_TYPE_MACHINE);
        g_signal_connect(list->store, "items-changed", G_CALLBACK(store_changed), list);
        list->timer = g_timeout_add_seconds(SCAN_SECONDS, list_tick, list);
        lodger_machine_list_scan(list);
}

LodgerMachineList *lodger_machine_list_new(void) { return g_object_new(LODGER_TYPE_MACHINE_LIST, NULL); }
