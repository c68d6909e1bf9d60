using System.Diagnostics;
using System.Globalization;
using Dataplane.Gateway.Demo.Namespaces;
using Dataplane.Gateway.Networks;

namespace Dataplane.Gateway.Compose;

/// <summary>Brings projects up and down: networks, a namespace and endpoints for each replica, and its processes.</summary>
internal sealed class ComposeRunner(ProjectStore store, ControlClient client, ImageMap images, Action<string> tell)
{
    private static readonly TimeSpan s_stopPatience = TimeSpan.FromSeconds(3);

    /// <summary>Brings a project up; what was begun is taken down again when something fails.</summary>
    /// <exception cref="IOException">Something is not to be had; the message says what.</exception>
    public async Task<RunningProject> UpAsync(ComposeProject project, string socket, int servicePid)
    {
        if (store.TryLoad(project.Name) is { } there)
        {
            throw new IOException($"Project {project.Name} is up already, with {there.Replicas.Count} containers; take it down first.");
        }

        DemandImages(project);
        var running = new RunningProject(project.Name, socket) { ServicePid = servicePid };
        try
        {
            foreach (ComposeNetwork network in project.Networks)
            {
                running = await CreateNetworkAsync(network, running).ConfigureAwait(false);
            }

            foreach (ComposeService service in project.Services)
            {
                for (int i = 1; i <= service.Replicas; i++)
                {
                    running = await AttachAsync(project, service, i, running).ConfigureAwait(false);
                }
            }

            foreach (Replica replica in running.Replicas)
            {
                Replica started = await StartAsync(project, replica).ConfigureAwait(false);
                running = running with { Replicas = [.. running.Replicas.Select(other => other.Name == started.Name ? started : other)] };
                store.Save(running);
            }

            return running;
        }
        catch
        {
            // What is written down knows of the replica in the middle of which it failed.
            await DownAsync(store.TryLoad(project.Name) ?? running).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Takes a project down: processes, endpoints, namespaces, the networks that were made for it.</summary>
    public async Task DownAsync(RunningProject running)
    {
        foreach (Replica replica in running.Replicas.Reverse())
        {
            if (replica.ByPodman)
            {
                await RunAsync("podman", "rm", "--force", "--time", "3", replica.Name).ConfigureAwait(false);
            }

            await ReplicaProcess.StopAsync(replica, s_stopPatience).ConfigureAwait(false);
            foreach (ReplicaAttachment attachment in replica.Attachments)
            {
                await TryAsync(() => client.DetachAsync(attachment.Network, replica.Name, attachment.Interface)).ConfigureAwait(false);
            }

            if (File.Exists($"/var/run/netns/{replica.Name}"))
            {
                await IpCommand.RunAsync(["netns", "del", replica.Name]).ConfigureAwait(false);
            }
        }

        foreach (string network in running.Networks)
        {
            await TryAsync(() => client.RemoveAsync(network)).ConfigureAwait(false);
        }

        store.Remove(running.Name);
    }

    private void DemandImages(ComposeProject project)
    {
        if (project.Services.FirstOrDefault(service => service.Replicas > 0 && service.Image.Length == 0 && images.Find("") is null) is { } nameless)
        {
            throw new IOException($"Service {nameless.Name} has no image: say which by image: in the file; building one is left to others.");
        }

        foreach (ComposeService service in project.Services.Where(service => service.Replicas > 0 && images.Find(service.Image) is null && !IsInPodman(service.Image)))
        {
            throw new IOException($"Service {service.Name}: nothing here stands for the image \"{service.Image}\". "
                + $"Name a root file system (--image {service.Image}=DIR) or a command (--image-command {service.Image}=COMMAND), or get the image: podman pull {service.Image}.");
        }
    }

    private async Task<RunningProject> CreateNetworkAsync(ComposeNetwork network, RunningProject running)
    {
        if (network.IsExternal)
        {
            await client.GetAsync(network.Record.Name).ConfigureAwait(false);
            return running;
        }

        NetworkView made = await client.CreateAsync(network.Record).ConfigureAwait(false);
        tell($"network {made.Network.Name}: {string.Join(", ", made.Network.Subnets.Select(subnet => subnet.Subnet))}");
        running = running with { Networks = [.. running.Networks, made.Network.Name] };
        store.Save(running);
        return running;
    }

    private async Task<RunningProject> AttachAsync(ComposeProject project, ComposeService service, int number, RunningProject running)
    {
        var replica = new Replica(service.Name, string.Create(CultureInfo.InvariantCulture, $"{project.Name}-{service.Name}-{number}"))
        {
            Ports = [.. service.Ports.Select(NetworkRequests.Describe)],
        };

        // Written down before it is made, so that whatever happens down finds it.
        running = running with { Replicas = [.. running.Replicas, replica] };
        store.Save(running);
        await IpCommand.RunAsync(["netns", "add", replica.Name]).ConfigureAwait(false);
        Dataplane.Networks.KernelInterface.BringUp(replica.Name, "lo");
        ComposeAttachment? first = service.Attachments.FirstOrDefault(attachment => !NetworkOf(project, attachment).Record.Internal);
        for (int i = 0; i < service.Attachments.Count; i++)
        {
            ComposeAttachment attachment = service.Attachments[i];
            string[] names = [.. new[] { service.Name, replica.Name }.Concat(attachment.Aliases).Distinct()];
            AttachReply made = await client.AttachAsync(NetworkOf(project, attachment).Record.Name, new EndpointRecord(replica.Name, string.Create(CultureInfo.InvariantCulture, $"eth{i}"))
            {
                Namespace = $"/var/run/netns/{replica.Name}",
                Name = replica.Name,
                Aliases = names,
                Addresses = number == 1 ? attachment.Addresses : [],
                Mac = number == 1 ? attachment.Mac : null,
                Ports = ReferenceEquals(attachment, first) ? service.Ports : [],
                DefaultRoute = ReferenceEquals(attachment, first),
            }).ConfigureAwait(false);
            replica = replica with { Attachments = [.. replica.Attachments, new ReplicaAttachment(made.Network.Name, made.Endpoint.Interface, made.Endpoint.Addresses, names) { Socket = made.Endpoint.Socket }] };
            running = running with { Replicas = [.. running.Replicas.Select(other => other.Name == replica.Name ? replica : other)] };
            store.Save(running);
        }

        return running;
    }

    private async Task<Replica> StartAsync(ComposeProject project, Replica replica)
    {
        ComposeService service = project.Services.First(candidate => candidate.Name == replica.Service);
        string directory = store.DirectoryOf(project.Name), hosts = Path.Combine(directory, replica.Name + ".hosts"), resolv = Path.Combine(directory, replica.Name + ".resolv");
        await File.WriteAllTextAsync(hosts, HostsOf(replica, service)).ConfigureAwait(false);
        await File.WriteAllTextAsync(resolv, await ResolverOfAsync(replica).ConfigureAwait(false)).ConfigureAwait(false);
        tell($"{replica.Name}: {string.Join(", ", replica.Attachments.SelectMany(attachment => attachment.Addresses))}");
        if (images.Find(service.Image) is { } image)
        {
            (int processId, long ticks) = ReplicaProcess.Start(replica, image, service, directory, store.LogOf(project.Name, replica.Name));
            return replica with { ProcessId = processId, StartTicks = ticks };
        }

        string[] line =
        [
            "run", "--detach", "--name", replica.Name, "--network", $"ns:/var/run/netns/{replica.Name}", "--volume", $"{hosts}:/etc/hosts", "--volume", $"{resolv}:/etc/resolv.conf",
            .. replica.Attachments.Where(attachment => attachment.Socket.Length > 0).SelectMany(attachment => new[]
            {
                "--volume", $"{Path.GetDirectoryName(attachment.Socket)}:{attachment.MountPoint}:ro", "--env", $"{attachment.Variable}={attachment.MountPoint}/{MemifSockets.FileName}",
            }),
            .. service.Environment.SelectMany(pair => new[] { "--env", $"{pair.Key}={pair.Value}" }), service.Image, .. service.Command,
        ];
        (int exitCode, string error) = await RunAsync("podman", line).ConfigureAwait(false);
        return exitCode == 0 ? replica with { ByPodman = true } : throw new IOException($"podman {string.Join(' ', line)}: {error}");
    }

    /// <summary>Its own name; others are asked for at the networks' name servers.</summary>
    private static string HostsOf(Replica replica, ComposeService service)
    {
        string name = service.HostName.Length > 0 ? service.HostName : replica.Name;
        IEnumerable<string> own = replica.Attachments.SelectMany(attachment => attachment.Addresses).Select(address => $"{address} {name}");
        return string.Join('\n', ["127.0.0.1 localhost", "::1 localhost", .. own]) + "\n";
    }

    /// <summary>A name of one label is whole, as it is in Docker: without a domain to try first.</summary>
    private async Task<string> ResolverOfAsync(Replica replica)
    {
        var lines = new List<string>();
        foreach (ReplicaAttachment attachment in replica.Attachments)
        {
            NetworkRecord network = (await client.GetAsync(attachment.Network).ConfigureAwait(false)).Network;
            lines.AddRange(network.Subnets.Select(subnet => $"nameserver {subnet.Gateway}"));
        }

        return string.Join('\n', [.. lines.Take(3), "options ndots:0"]) + "\n";
    }

    private static ComposeNetwork NetworkOf(ComposeProject project, ComposeAttachment attachment) => project.Networks.First(network => network.Key == attachment.Network);

    private static bool IsInPodman(string image) =>
        image.Length > 0 && IpCommand.Find("podman") is not null && RunAsync("podman", "image", "exists", image).GetAwaiter().GetResult().ExitCode == 0;

    private async Task TryAsync(Func<Task> work)
    {
        try
        {
            await work().ConfigureAwait(false);
        }
        catch (NetworkException refused)
        {
            tell(refused.Message);
        }
    }

    private static async Task<(int ExitCode, string Error)> RunAsync(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(IpCommand.Find(program) ?? program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start) ?? throw new IOException($"{program} did not start.");
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().ConfigureAwait(false);
        await output.ConfigureAwait(false);
        return (process.ExitCode, (await error.ConfigureAwait(false)).Trim());
    }
}
