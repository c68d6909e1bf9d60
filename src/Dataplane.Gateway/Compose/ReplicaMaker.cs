using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Dataplane.Gateway.Demo.Namespaces;
using Dataplane.Gateway.Networks;
using Dataplane.Networks;

namespace Dataplane.Gateway.Compose;

/// <summary>Makes, runs and takes away one replica: its namespace, its endpoints, its files and its processes.</summary>
internal sealed class ReplicaMaker(ProjectStore store, ControlClient client, ImageMap images, Action<string> tell)
{
    private static readonly TimeSpan s_stopPatience = TimeSpan.FromSeconds(3);

    /// <summary>Path of a replica's network namespace.</summary>
    public static string NamespaceOf(string replica) => $"/var/run/netns/{replica}";

    /// <summary>Makes the namespace of a replica and attaches it to its networks.</summary>
    /// <param name="project">The file.</param>
    /// <param name="service">Its service.</param>
    /// <param name="number">Which replica of it, from 1.</param>
    /// <param name="note">Writes down how far it has got, so that whatever happens, it is found.</param>
    public async Task<Replica> AttachAsync(ComposeProject project, ComposeService service, int number, Action<Replica> note)
    {
        var replica = new Replica(service.Name, ShapeReader.NameOf(project, service, number));
        if (File.Exists(NamespaceOf(replica.Name)))
        {
            throw new IOException($"There is a network namespace {replica.Name} already, which this project knows nothing of; ip netns del {replica.Name} removes it, if nobody needs it.");
        }

        note(replica);
        await IpCommand.RunAsync(["netns", "add", replica.Name]).ConfigureAwait(false);
        KernelInterface.BringUp(replica.Name, "lo");
        ComposeAttachment? first = ShapeReader.DefaultOf(project, service);
        for (int i = 0; i < service.Attachments.Count; i++)
        {
            ComposeAttachment attachment = service.Attachments[i];
            bool isDefault = ReferenceEquals(attachment, first);
            string[] names = [.. new[] { service.Name, replica.Name }.Concat(attachment.Aliases).Distinct()];
            var request = new EndpointRecord(replica.Name, string.Create(CultureInfo.InvariantCulture, $"eth{i}"))
            {
                Namespace = NamespaceOf(replica.Name),
                Name = replica.Name,
                Aliases = names,
                Addresses = number == 1 ? attachment.Addresses : [],
                Mac = number == 1 ? attachment.Mac : null,
                Ports = isDefault ? service.Ports : [],
                DefaultRoute = isDefault,
            };
            AttachReply made = await client.AttachAsync(ShapeReader.NetworkOf(project, attachment).Name, request).ConfigureAwait(false);
            replica = replica with
            {
                Attachments = [.. replica.Attachments, new ReplicaAttachment(made.Network.Name, made.Endpoint.Interface, made.Endpoint.Addresses, names)
                {
                    Socket = made.Endpoint.Socket, Mac = made.Endpoint.Mac ?? "", IsDefault = isDefault,
                }],
                Ports = isDefault ? [.. service.Ports.Select(NetworkRequests.Describe)] : replica.Ports,
            };
            note(replica);
        }

        return replica;
    }

    /// <summary>Runs the command of a replica that is attached.</summary>
    /// <exception cref="IOException">It did not start.</exception>
    public async Task<Replica> StartAsync(ComposeProject project, ComposeService service, Replica replica)
    {
        if (replica.ByPodman && (await RunAsync("podman", "start", replica.Name).ConfigureAwait(false)).ExitCode == 0)
        {
            return replica;
        }

        string directory = store.DirectoryOf(project.Name), hosts = Path.Combine(directory, replica.Name + ".hosts"), resolv = Path.Combine(directory, replica.Name + ".resolv");
        await File.WriteAllTextAsync(hosts, HostsOf(replica, service)).ConfigureAwait(false);
        await File.WriteAllTextAsync(resolv, await ResolverOfAsync(replica).ConfigureAwait(false)).ConfigureAwait(false);
        if (images.Find(service.Image) is { } image)
        {
            (int processId, long ticks) = ReplicaProcess.Start(replica, image, service, directory, store.LogOf(project.Name, replica.Name));
            return replica with { ProcessId = processId, StartTicks = ticks };
        }

        string[] line = PodmanLine(replica, service, hosts, resolv);
        (int exitCode, _, string error) = await RunAsync("podman", line).ConfigureAwait(false);
        return exitCode == 0 ? replica with { ByPodman = true } : throw new IOException($"podman {string.Join(' ', line)}: {error}");
    }

    /// <summary>What podman is called with to run a replica in its namespace.</summary>
    /// <param name="replica">The replica, with its endpoints.</param>
    /// <param name="service">Its service.</param>
    /// <param name="hosts">The file for its <c>/etc/hosts</c>.</param>
    /// <param name="resolv">The file for its <c>/etc/resolv.conf</c>.</param>
    public static string[] PodmanLine(Replica replica, ComposeService service, string hosts, string resolv)
    {
        IEnumerable<string> sockets = replica.Attachments.Where(attachment => attachment.Socket.Length > 0).SelectMany(attachment => new[]
        {
            "--volume", $"{Path.GetDirectoryName(attachment.Socket)}:{attachment.MountPoint}:ro", "--env", $"{attachment.Variable}={attachment.MountPoint}/{MemifSockets.FileName}",
        });
        var entryPoint = new JsonArray([.. service.Command.Take(service.EntryPointWords).Select(word => JsonValue.Create(word))]);
        return
        [
            "run", "--detach", "--replace", "--name", replica.Name, "--network", $"ns:{NamespaceOf(replica.Name)}", "--volume", $"{hosts}:/etc/hosts", "--volume", $"{resolv}:/etc/resolv.conf",
            "--hostname", service.HostName.Length > 0 ? service.HostName : replica.Name,
            .. service.WorkingDirectory.Length > 0 ? ["--workdir", service.WorkingDirectory] : Array.Empty<string>(),
            .. service.EntryPointWords > 0 ? ["--entrypoint", entryPoint.ToJsonString()] : Array.Empty<string>(),
            .. sockets, .. service.Environment.SelectMany(pair => new[] { "--env", $"{pair.Key}={pair.Value}" }), service.Image, .. service.Command.Skip(service.EntryPointWords),
        ];
    }

    /// <summary>Takes a replica away: processes, endpoints, namespace. What is not there any more is no error.</summary>
    public async Task RemoveAsync(Replica replica)
    {
        if (replica.ByPodman)
        {
            await RunAsync("podman", "rm", "--force", "--time", "3", replica.Name).ConfigureAwait(false);
        }

        await ReplicaProcess.StopAsync(replica, s_stopPatience).ConfigureAwait(false);
        if (replica is { ProcessId: 0, ByPodman: false } && File.Exists(NamespaceOf(replica.Name)))
        {
            // Whoever was to start it may have died before it was written down.
            foreach (string process in (await IpCommand.RunAsync(["netns", "pids", replica.Name]).ConfigureAwait(false)).Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                ReplicaProcess.Signal(int.Parse(process, CultureInfo.InvariantCulture), "KILL");
            }
        }

        foreach (ReplicaAttachment attachment in replica.Attachments)
        {
            try
            {
                await client.DetachAsync(attachment.Network, replica.Name, attachment.Interface).ConfigureAwait(false);
            }
            catch (NetworkException refused)
            {
                tell(refused.Message);
            }
        }

        if (File.Exists(NamespaceOf(replica.Name)))
        {
            await IpCommand.RunAsync(["netns", "del", replica.Name]).ConfigureAwait(false);
        }
    }

    /// <summary>The process of a replica's command; 0: it does not run.</summary>
    public static async Task<int> ProcessOfAsync(Replica replica)
    {
        if (!replica.ByPodman)
        {
            return ReplicaProcess.IsRunning(replica) ? replica.ProcessId : 0;
        }

        string process = (await RunAsync("podman", "container", "inspect", "--format", "{{.State.Pid}}", replica.Name).ConfigureAwait(false)).Output;
        return int.TryParse(process, CultureInfo.InvariantCulture, out int number) ? number : 0;
    }

    /// <summary>Lines that a replica has printed.</summary>
    /// <param name="replica">The replica.</param>
    /// <param name="log">The file they are in, unless podman has them.</param>
    public static async Task<string[]> LogAsync(Replica replica, string log)
    {
        if (!replica.ByPodman)
        {
            return File.Exists(log) ? await File.ReadAllLinesAsync(log).ConfigureAwait(false) : [];
        }

        (_, string output, string error) = await RunAsync("podman", "logs", replica.Name).ConfigureAwait(false);
        return [.. new[] { output, error }.SelectMany(text => text.Split('\n', StringSplitOptions.RemoveEmptyEntries))];
    }

    /// <summary>What podman has under the name of an image; empty: nothing.</summary>
    public static string InPodman(string image) => image.Length == 0 || IpCommand.Find("podman") is null ? ""
        : RunAsync("podman", "image", "inspect", "--format", "{{.Id}}", image).GetAwaiter().GetResult() is { ExitCode: 0 } found ? found.Output : "";

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

    private static async Task<(int ExitCode, string Output, string Error)> RunAsync(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(IpCommand.Find(program) ?? program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start) ?? throw new IOException($"{program} did not start.");
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().ConfigureAwait(false);
        return (process.ExitCode, (await output.ConfigureAwait(false)).Trim(), (await error.ConfigureAwait(false)).Trim());
    }
}
