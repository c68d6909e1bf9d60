using System.Diagnostics;
using System.Globalization;
using Dataplane.Configuration;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Compose;
using Dataplane.Gateway.Demo.Namespaces;
using Dataplane.Gateway.Networks;
using Dataplane.Mesh.Compose;

namespace Dataplane.Gateway.Commands.Network;

/// <summary>What the commands about compose files have in common.</summary>
internal abstract class ComposeCommand : Command
{
    protected static readonly Option Project = new("--project", "NAME", "name of the project; what the file says, or its directory's, by default");
    protected static readonly Option Store = new("--projects", "DIR", $"where projects that are up are kept; {ProjectStore.DefaultRoot} by default");

    public override IReadOnlyList<string> Positionals => ["FILE"];

    public override IReadOnlyList<Option> Options => [Project, Store, NetworkOptions.Socket];

    protected static ProjectStore StoreOf(Arguments arguments) => new(arguments.Get(Store) ?? ProjectStore.DefaultRoot);

    protected static ComposeProject Read(Arguments arguments, List<ConfigurationError> remarks) => ComposeReader.Load(arguments.Positionals[0], arguments.Get(Project), remarks);

    protected static RunningProject Running(Arguments arguments)
    {
        string name = Read(arguments, []).Name;
        return StoreOf(arguments).TryLoad(name) ?? throw new IOException($"Project {name} is not up.");
    }
}

/// <summary>Brings a compose file up.</summary>
internal sealed class UpCommand : ComposeCommand
{
    private static readonly Option s_image = new("--image", "IMAGE=DIR", "root file system that stands for an image") { IsRepeatable = true };
    private static readonly Option s_command = new("--image-command", "IMAGE=COMMAND", "what an image runs, by its shell, when the file does not say") { IsRepeatable = true };
    private static readonly Option s_state = new("--state", "DIR", "state of the network service, if it is to be started") { IsHidden = true };
    private static readonly Option s_host = new("--host-interface", "NAME", "as of network serve, if it is to be started") { IsHidden = true };

    public override string Name => "up";

    public override string Summary => "bring a compose file up: networks, containers, published ports";

    public override string Details => """
        Each replica gets a network namespace PROJECT-SERVICE-N, an interface on each of its networks, and its command runs there. What
        stands for an image is a root file system of this machine (--image), a command (--image-command), or podman's image of the name.
        What has no effect here is said, with its line. The network service is started if none answers.
        """;

    public override IReadOnlyList<Option> Options => [Project, s_image, s_command, Store, NetworkOptions.Socket, s_state, s_host];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        var remarks = new List<ConfigurationError>();
        ComposeProject project = Read(arguments, remarks);
        foreach (ConfigurationError remark in remarks)
        {
            await output.Error.WriteLineAsync(remark.ToString()).ConfigureAwait(false);
        }

        string socket = NetworkOptions.SocketOf(arguments);
        var images = new ImageMap(arguments.GetAll(s_image), arguments.GetAll(s_command));
        int service = await ControlClient.IsAnsweringAsync(socket).ConfigureAwait(false) ? 0 : await StartServiceAsync(arguments, socket).ConfigureAwait(false);
        using var client = new ControlClient(socket);
        RunningProject running = await new ComposeRunner(StoreOf(arguments), client, images, output.Out.WriteLine).UpAsync(project, socket, service).ConfigureAwait(false);
        foreach (Replica replica in running.Replicas.Where(replica => replica.Ports.Count > 0))
        {
            await output.Out.WriteLineAsync($"{replica.Name} is published: {string.Join(", ", replica.Ports)}").ConfigureAwait(false);
        }

        return ExitCode.Ok;
    }

    /// <summary>Starts the service so that it goes on without this program, and waits until it is ready.</summary>
    private static async Task<int> StartServiceAsync(Arguments arguments, string socket)
    {
        string directory = Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(socket))!).FullName, log = Path.Combine(directory, "network.log");
        string[] options = [.. new[] { s_state, s_host }.Where(arguments.Has).SelectMany(option => new[] { option.Name, arguments.Get(option)! })];
        string[] words = ["-c", "exec setsid \"$@\" >\"$0\" 2>&1 </dev/null", log, .. ChildProcess.Self("network", "serve", "--socket", socket), .. options];
        using Process process = Process.Start(new ProcessStartInfo("/bin/sh", words)) ?? throw new IOException("The network service did not start.");
        long end = Environment.TickCount64 + 60_000;
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
}

/// <summary>Takes a compose file down.</summary>
internal sealed class DownCommand : ComposeCommand
{
    public override string Name => "down";

    public override string Summary => "take a compose file down: containers, endpoints and the networks that were made for it";

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        RunningProject running = Running(arguments);
        using var client = new ControlClient(running.Socket);
        await new ComposeRunner(StoreOf(arguments), client, new ImageMap([], []), output.Out.WriteLine).DownAsync(running).ConfigureAwait(false);

        // Who started the service for itself alone ends it, unless others have come to use it.
        if (running.ServicePid != 0 && await ControlClient.IsAnsweringAsync(running.Socket).ConfigureAwait(false)
            && (await client.ListAsync().ConfigureAwait(false)).Length == 0)
        {
            long? ticks = ComposeLayout.StartTicks(running.ServicePid);
            ReplicaProcess.Signal(running.ServicePid, "TERM");
            while (ticks is not null && ComposeLayout.StartTicks(running.ServicePid) == ticks)
            {
                await Task.Delay(20).ConfigureAwait(false);
            }
        }

        return ExitCode.Ok;
    }
}

/// <summary>Lists the containers of a compose file.</summary>
internal sealed class PsCommand : ComposeCommand
{
    public override string Name => "ps";

    public override string Summary => "list the containers of a compose file that is up";

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        await output.Out.WriteLineAsync("NAME                           STATE     PID       ADDRESSES                 PORTS").ConfigureAwait(false);
        foreach (Replica replica in Running(arguments).Replicas)
        {
            string state = replica.ByPodman ? "podman" : ReplicaProcess.IsRunning(replica) ? "running" : "ended";
            string addresses = string.Join(' ', replica.Attachments.SelectMany(attachment => attachment.Addresses));
            await output.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
                $"{replica.Name,-30} {state,-9} {replica.ProcessId,-9} {addresses,-25} {string.Join(' ', replica.Ports)}").TrimEnd()).ConfigureAwait(false);
        }

        return ExitCode.Ok;
    }
}

/// <summary>Prints what the containers of a compose file have printed.</summary>
internal sealed class LogsCommand : ComposeCommand
{
    private static readonly Option s_service = new("--service", "NAME", "of this service only");

    public override string Name => "logs";

    public override string Summary => "print what the containers of a compose file have printed";

    public override IReadOnlyList<Option> Options => [Project, s_service, Store];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        RunningProject running = Running(arguments);
        foreach (Replica replica in running.Replicas.Where(replica => arguments.Get(s_service) is not { } service || replica.Service == service))
        {
            string log = StoreOf(arguments).LogOf(running.Name, replica.Name);
            foreach (string line in File.Exists(log) ? await File.ReadAllLinesAsync(log).ConfigureAwait(false) : [])
            {
                await output.Out.WriteLineAsync($"{replica.Name} | {line}").ConfigureAwait(false);
            }
        }

        return ExitCode.Ok;
    }
}
