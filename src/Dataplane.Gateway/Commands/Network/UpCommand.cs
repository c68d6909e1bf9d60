using System.Globalization;
using Dataplane.Configuration;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Compose;
using Dataplane.Gateway.Networks;

namespace Dataplane.Gateway.Commands.Network;

/// <summary>Brings a compose file up, or what is up of it to what it says now.</summary>
internal sealed class UpCommand : ComposeCommand
{
    private const int MaxReplicas = 100;
    private const string DryRun = "DRY-RUN";

    private static readonly Option s_image = new("--image", "IMAGE=DIR", "root file system that stands for an image; known until the project is down") { IsRepeatable = true };
    private static readonly Option s_command = new("--image-command", "IMAGE=COMMAND", "what an image runs, by its shell, when the file does not say; known until the project is down") { IsRepeatable = true };
    private static readonly Option s_scale = new("--scale", "SERVICE=N", "replicas of a service, whatever the file says") { IsRepeatable = true };
    private static readonly Option s_orphans = new("--remove-orphans", "", "remove containers of services that are not in the file any more");
    private static readonly Option s_dryRun = new("--dry-run", "", "print what would be done, and do nothing");

    public override string Name => "up";

    public override string Summary => "bring a compose file up, or apply what has changed in it: networks, containers, published ports";

    public override string Details => """
        Each replica gets a network namespace PROJECT-SERVICE-N, an interface on each of its networks, and its command runs there. What
        stands for an image is a root file system of this machine (--image), a command (--image-command), or podman's image of the name.
        What has no effect here is said, with its line. The network service is started if none answers.

        Of a project that is up, exactly what has changed is applied: a service that says the same goes on untouched, one that does not is
        made anew, replica after replica; replicas come and go; published ports change while their container runs; a command that has ended
        is started again. With a mistake in the file nothing changes.
        """;

    public override IReadOnlyList<Option> Options => [Project, s_scale, s_orphans, s_dryRun, s_image, s_command, Store, NetworkOptions.Socket, NetworkServiceProcess.State, NetworkServiceProcess.Host];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        var remarks = new List<ConfigurationError>();
        ComposeProject project = ComposeReader.Load(arguments.Positionals[0], arguments.Get(Project), remarks, ScaleOf(arguments));
        foreach (ConfigurationError remark in remarks)
        {
            await output.Error.WriteLineAsync(remark.ToString()).ConfigureAwait(false);
        }

        ProjectStore store = StoreOf(arguments);
        bool isDry = arguments.Has(s_dryRun);
        using IDisposable? held = isDry ? null : store.Lock(project.Name);
        RunningProject? there = store.TryLoad(project.Name);
        RunningProject running = (there ?? new RunningProject(project.Name, NetworkOptions.SocketOf(arguments))) with
        {
            Images = [.. there?.Images ?? [], .. arguments.GetAll(s_image)],
            ImageCommands = [.. there?.ImageCommands ?? [], .. arguments.GetAll(s_command)],
        };
        if (arguments.Has(NetworkOptions.Socket) && arguments.Get(NetworkOptions.Socket) != running.Socket)
        {
            throw new IOException($"Project {project.Name} is up with the network service at {running.Socket}, not with that at {arguments.Get(NetworkOptions.Socket)}; take it down first.");
        }

        var images = new ImageMap(running.Images, running.ImageCommands);
        var known = project.Services.Where(service => service.Replicas > 0).ToDictionary(service => service.Name, service => ComposeRunner.ImageOf(service, images));
        ProjectShape shape = ShapeReader.Read(project, service => known[service.Name]);
        using var client = new ControlClient(running.Socket);
        var runner = new ComposeRunner(store, client, images, output.Out.WriteLine);
        bool isAnswering = await ControlClient.IsAnsweringAsync(running.Socket).ConfigureAwait(false);
        if (isDry)
        {
            if (!isAnswering)
            {
                await output.Error.WriteLineAsync($"No network service answers at {running.Socket}: up starts one.").ConfigureAwait(false);
            }

            running = isAnswering ? await runner.AdoptAsync(running).ConfigureAwait(false) : running;
            return await TellAsync(await PlanAsync(arguments, output, runner, shape, running).ConfigureAwait(false), running, output).ConfigureAwait(false);
        }

        if (!isAnswering)
        {
            running = running with { ServicePid = await NetworkServiceProcess.StartAsync(arguments, running.Socket).ConfigureAwait(false) };
        }

        running = await runner.AdoptAsync(running).ConfigureAwait(false);
        running = await ApplyAsync(arguments, output, runner, (project, shape), running, isNew: there is null, client).ConfigureAwait(false);
        foreach (Replica replica in running.Replicas.Where(replica => replica.Ports.Count > 0))
        {
            await output.Out.WriteLineAsync($"{replica.Name} is published: {string.Join(", ", replica.Ports)}").ConfigureAwait(false);
        }

        return ExitCode.Ok;
    }

    private static async Task<RunningProject> ApplyAsync(
        Arguments arguments, Output output, ComposeRunner runner, (ComposeProject File, ProjectShape Shape) wanted, RunningProject running, bool isNew, ControlClient client)
    {
        ProjectPlan plan = await PlanAsync(arguments, output, runner, wanted.Shape, running).ConfigureAwait(false);
        try
        {
            return await runner.ApplyAsync(wanted.File, wanted.Shape, plan, running).ConfigureAwait(false);
        }
        catch (Exception refused) when (!isNew)
        {
            throw new IOException($"{refused.Message} {(runner.HasChanged ? "What is done stays, the rest is as it was: mend it and run up again." : "Nothing was changed.")}", refused);
        }
        catch
        {
            // What is written down knows of the replica in the middle of which it failed.
            await runner.DownAsync(StoreOf(arguments).TryLoad(running.Name) ?? running).ConfigureAwait(false);
            await NetworkServiceProcess.EndAsync(running, client).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>What there is to do; says what stays though the file does not have it.</summary>
    /// <exception cref="IOException">Something is in the way.</exception>
    private static async Task<ProjectPlan> PlanAsync(Arguments arguments, Output output, ComposeRunner runner, ProjectShape shape, RunningProject running)
    {
        bool isAnswering = await ControlClient.IsAnsweringAsync(running.Socket).ConfigureAwait(false);
        ProjectSight sight = await (isAnswering ? runner.LookAsync(running) : ComposeRunner.GuessAsync(running)).ConfigureAwait(false);
        ProjectPlan plan = ProjectPlanner.Compare(shape, running, sight, arguments.Has(s_orphans));
        if (plan.Obstacles.Count > 0)
        {
            throw new IOException($"nothing was changed. {string.Join(" ", plan.Obstacles)}");
        }

        if (plan.Orphans.Count > 0)
        {
            await output.Error.WriteLineAsync($"Containers of services that are not in the file any more: {string.Join(", ", plan.Orphans)}. They go on; --remove-orphans removes them.").ConfigureAwait(false);
        }

        foreach (string network in plan.Left)
        {
            await output.Error.WriteLineAsync($"Network {network} is not needed any more, but {sight.Strangers[network]} is attached to it: it stays.").ConfigureAwait(false);
        }

        return plan;
    }

    private static async Task<int> TellAsync(ProjectPlan plan, RunningProject running, Output output)
    {
        foreach (PlanStep step in plan.Steps)
        {
            string detail = step.Kind == PlanStepKind.SetPorts ? PlanText.Changes(running.Replicas.First(replica => replica.Name == step.Name), step) : "";
            await output.Out.WriteLineAsync($"{DryRun}{PlanText.Done(step, detail)}").ConfigureAwait(false);
        }

        return ExitCode.Ok;
    }

    private static Dictionary<string, int> ScaleOf(Arguments arguments)
    {
        var scale = new Dictionary<string, int>();
        foreach (string text in arguments.GetAll(s_scale))
        {
            string[] pair = text.Split('=', 2);
            if (pair.Length < 2 || pair[0].Length == 0 || !int.TryParse(pair[1], NumberStyles.None, CultureInfo.InvariantCulture, out int replicas) || replicas > MaxReplicas)
            {
                throw new UsageException($"{s_scale.Name} {text}: a service and 0 to {MaxReplicas} replicas are needed, such as web=3.");
            }

            scale[pair[0]] = replicas;
        }

        return scale;
    }
}
