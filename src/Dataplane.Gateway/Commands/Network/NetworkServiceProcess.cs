using System.Diagnostics;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Compose;
using Dataplane.Gateway.Demo.Namespaces;
using Dataplane.Gateway.Networks;
using Dataplane.Mesh.Compose;

namespace Dataplane.Gateway.Commands.Network;

/// <summary>The network service, where a compose file needs one and none answers.</summary>
internal static class NetworkServiceProcess
{
    private const int PatienceMs = 60_000;

    public static readonly Option State = new("--state", "DIR", "state of the network service, if it is to be started") { IsHidden = true };
    public static readonly Option Host = new("--host-interface", "NAME", "as of network serve, if it is to be started") { IsHidden = true };

    /// <summary>Starts the service so that it goes on without this program, and waits until it is ready.</summary>
    /// <returns>Its process.</returns>
    /// <exception cref="IOException">It did not start.</exception>
    public static async Task<int> StartAsync(Arguments arguments, string socket)
    {
        string directory = Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(socket))!).FullName, log = Path.Combine(directory, "network.log");

        // What another one has said is no sign of this one.
        File.Delete(log);
        string[] options = [.. new[] { State, Host }.Where(arguments.Has).SelectMany(option => new[] { option.Name, arguments.Get(option)! })];
        string[] words = ["-c", "exec setsid \"$@\" >\"$0\" 2>&1 </dev/null", log, .. ChildProcess.Self("network", "serve", "--socket", socket), .. options];
        using Process process = Process.Start(new ProcessStartInfo("/bin/sh", words)) ?? throw new IOException("The network service did not start.");
        long end = Environment.TickCount64 + PatienceMs;
        while (!File.Exists(log) || !(await File.ReadAllLinesAsync(log).ConfigureAwait(false)).Contains("ready"))
        {
            if (process.HasExited || Environment.TickCount64 > end)
            {
                throw new IOException($"The network service did not start: {(File.Exists(log) ? await File.ReadAllTextAsync(log).ConfigureAwait(false) : "it said nothing")}");
            }

            await Task.Delay(20).ConfigureAwait(false);
        }

        return process.Id;
    }

    /// <summary>Ends the service that was started for a project, unless others have come to use it.</summary>
    public static async Task EndAsync(RunningProject project, ControlClient client)
    {
        if (project.ServicePid == 0 || !await ControlClient.IsAnsweringAsync(project.Socket).ConfigureAwait(false) || (await client.ListAsync().ConfigureAwait(false)).Length > 0)
        {
            return;
        }

        long? ticks = ComposeLayout.StartTicks(project.ServicePid);
        ReplicaProcess.Signal(project.ServicePid, "TERM");
        while (ticks is not null && ComposeLayout.StartTicks(project.ServicePid) == ticks)
        {
            await Task.Delay(20).ConfigureAwait(false);
        }
    }
}
