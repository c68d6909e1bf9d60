using System.Globalization;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Compose;
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

    /// <summary>The project of a file. A file with mistakes still has a name: what is up can be looked at and taken down.</summary>
    protected static string NameOf(Arguments arguments) =>
        arguments.Get(Project) is { } given ? ComposeLayout.ProjectName(given) : ComposeReader.LoadName(arguments.Positionals[0]);

    protected static RunningProject Running(Arguments arguments)
    {
        string name = NameOf(arguments);
        return StoreOf(arguments).TryLoad(name) ?? throw new IOException($"Project {name} is not up.");
    }
}

/// <summary>Takes a compose file down.</summary>
internal sealed class DownCommand : ComposeCommand
{
    public override string Name => "down";

    public override string Summary => "take a compose file down: containers, endpoints and the networks that were made for it";

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        using IDisposable held = StoreOf(arguments).Lock(NameOf(arguments));
        RunningProject running = Running(arguments);
        using var client = new ControlClient(running.Socket);
        await new ComposeRunner(StoreOf(arguments), client, new ImageMap([], []), output.Out.WriteLine).DownAsync(running).ConfigureAwait(false);

        await NetworkServiceProcess.EndAsync(running, client).ConfigureAwait(false);
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
            int process = await ReplicaMaker.ProcessOfAsync(replica).ConfigureAwait(false);
            string state = process != 0 ? "running" : "ended", number = process != 0 ? process.ToString(CultureInfo.InvariantCulture) : "-";
            string addresses = string.Join(' ', replica.Attachments.SelectMany(attachment => attachment.Addresses));
            await output.Out.WriteLineAsync($"{replica.Name,-30} {state,-9} {number,-9} {addresses,-25} {string.Join(' ', replica.Ports)}".TrimEnd()).ConfigureAwait(false);
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
            foreach (string line in await ReplicaMaker.LogAsync(replica, StoreOf(arguments).LogOf(running.Name, replica.Name)).ConfigureAwait(false))
            {
                await output.Out.WriteLineAsync($"{replica.Name} | {line}").ConfigureAwait(false);
            }
        }

        return ExitCode.Ok;
    }
}
