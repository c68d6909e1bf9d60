using System.Diagnostics;
using System.Globalization;
using Dataplane.Gateway.Networks;
using Dataplane.Mesh.Compose;

namespace Dataplane.Gateway.Compose;

/// <summary>The processes of a replica: in its network namespace, with process numbers and a file system of their own.</summary>
internal static class ReplicaProcess
{
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(20);

    private const string DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    /// <summary>
    /// Arguments: root, upper directory, working directory, files for names without their endings, host name, directories of sockets with where they are mounted, then the command. Changes to the file system go to a layer of the
    /// replica's own, where overlayfs is to be had, so that two replicas of one image do not meet in its files.
    /// </summary>
    private const string Script = """
        root=$1 upper=$2 dir=$3 hosts=$4.hosts resolv=$4.resolv name=$5 sockets=$6; shift 6
        mount --make-rprivate / && hostname "$name"
        if [ "$root" != / ]; then
          mkdir -p "$upper" && mount -t tmpfs tmpfs "$upper" && mkdir "$upper/up" "$upper/work" "$upper/root"
          if mount -t overlay overlay -o "lowerdir=$root,upperdir=$upper/up,workdir=$upper/work" "$upper/root"; then root=$upper/root; fi
          mkdir -p "$root/proc" "$root/dev" "$root/etc" "$root/tmp"
          mount --rbind /dev "$root/dev"
          [ -e "$root/etc/hosts" ] || : > "$root/etc/hosts"
          [ -e "$root/etc/resolv.conf" ] || : > "$root/etc/resolv.conf"
          mount --bind "$hosts" "$root/etc/hosts"
          mount --bind "$resolv" "$root/etc/resolv.conf"
          mount -t proc proc "$root/proc"
          for each in $sockets; do mkdir -p "$root${each#*=}" && mount --bind -o ro "${each%%=*}" "$root${each#*=}"; done
          exec chroot "$root" /bin/sh -c 'cd "$0" && exec "$@"' "$dir" "$@"
        fi
        mount --bind "$hosts" /etc/hosts
        mount --bind "$resolv" /etc/resolv.conf
        mount -t proc proc /proc
        cd "$dir" && exec "$@"
        """;

    /// <summary>Starts a replica; it goes on when this program ends.</summary>
    /// <exception cref="IOException">A program that is needed is not there.</exception>
    public static (int ProcessId, long StartTicks) Start(
        Replica replica, (string Root, string[] Command) image, ComposeService service, string directory, string log)
    {
        string[] command = service.Command.Count > 0 ? [.. service.Command] : image.Command;
        ReplicaAttachment[] byMemif = [.. replica.Attachments.Where(attachment => attachment.Socket.Length > 0)];
        string[] words =
        [
            "-c", "exec setsid \"$@\" >>\"$0\" 2>&1 </dev/null", log,
            "nsenter", $"--net=/var/run/netns/{replica.Name}", "--",
            "unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--",
            "/bin/sh", "-c", Script, "dataplane", image.Root, Path.Combine(directory, replica.Name + ".layer"), service.WorkingDirectory.Length > 0 ? service.WorkingDirectory : "/",
            Path.Combine(directory, replica.Name),
            service.HostName.Length > 0 ? service.HostName : replica.Name,
            string.Join(' ', byMemif.Select(attachment => $"{Path.GetDirectoryName(attachment.Socket)}={attachment.MountPoint}")), .. command,
        ];
        var start = new ProcessStartInfo("/bin/sh", words);

        // A container sees what its file says and not what whoever brings it up has in the environment, secrets among it.
        start.Environment.Clear();
        start.Environment["PATH"] = DefaultPath;
        start.Environment["HOME"] = "/root";
        start.Environment["HOSTNAME"] = service.HostName.Length > 0 ? service.HostName : replica.Name;
        foreach (ReplicaAttachment attachment in byMemif)
        {
            // Whoever has the files of the host has the socket there.
            start.Environment[attachment.Variable] = image.Root == "/" ? attachment.Socket : $"{attachment.MountPoint}/{MemifSockets.FileName}";
        }

        foreach ((string name, string value) in service.Environment)
        {
            start.Environment[name] = value;
        }

        using Process process = Process.Start(start) ?? throw new IOException($"{replica.Name} did not start.");
        return (process.Id, ComposeLayout.StartTicks(process.Id) ?? 0);
    }

    public static bool IsRunning(Replica replica) => replica.ProcessId > 0 && ComposeLayout.StartTicks(replica.ProcessId) == replica.StartTicks;

    /// <summary>Asks a replica to end, and ends it when it does not.</summary>
    public static async Task StopAsync(Replica replica, TimeSpan patience)
    {
        if (!IsRunning(replica))
        {
            return;
        }

        // unshare(1) passes no signal on; its child is the first process of the replica.
        string children = $"/proc/{replica.ProcessId}/task/{replica.ProcessId}/children";
        string child = File.Exists(children) ? File.ReadAllText(children).Trim().Split(' ')[0] : "";
        if (int.TryParse(child, CultureInfo.InvariantCulture, out int first))
        {
            Signal(first, "TERM");
        }

        long end = Environment.TickCount64 + (long)patience.TotalMilliseconds;
        while (IsRunning(replica) && Environment.TickCount64 < end)
        {
            await Task.Delay(s_look).ConfigureAwait(false);
        }

        // The child dies with it, and with the child all its processes.
        if (IsRunning(replica))
        {
            Signal(replica.ProcessId, "KILL");
        }

        while (IsRunning(replica))
        {
            await Task.Delay(s_look).ConfigureAwait(false);
        }
    }

    public static void Signal(int processId, string signal)
    {
        using Process? kill = Process.Start(new ProcessStartInfo("kill", [$"-{signal}", processId.ToString(CultureInfo.InvariantCulture)]) { RedirectStandardError = true });
        kill?.WaitForExit();
    }
}
