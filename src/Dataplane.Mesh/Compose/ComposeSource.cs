using Dataplane.Mesh.Services;
using Dataplane.Mesh.Sources;
using Dataplane.Packets;

namespace Dataplane.Mesh.Compose;

/// <summary>The services of a compose file and the replicas that <c>dataplane up</c> runs of them, looked at twice a second.</summary>
/// <remarks>
/// The file says which services there are, the state of the project which replicas they have and where, the kernel which of those still run. A file or a state that cannot be
/// understood leaves what was read last, with the replicas' life followed nevertheless; a project that is not up has services without endpoints.
/// </remarks>
internal sealed class ComposeSource : MeshSource
{
    /// <summary>Whatever is larger has been named by mistake.</summary>
    private const long MaxBytes = 16L << 20;

    private static readonly TimeSpan s_lookEvery = TimeSpan.FromMilliseconds(500);

    private readonly string _file;
    private readonly string _project;
    private readonly string _projects;
    private readonly Func<int, long?> _startTicks;
    private readonly Lock _looking = new();
    private readonly SourceBook _book = new();
    private (string Text, ComposeDefinition Definition)? _definition;
    private (string Text, IReadOnlyList<ComposeReplica> Replicas) _state = ("", []);

    /// <summary>Makes the source; reads nothing yet.</summary>
    /// <param name="file">The compose file.</param>
    /// <param name="project">Name of the project; empty: what the file says, or the name of its directory.</param>
    /// <param name="projects">Where projects are kept; empty: <see cref="ComposeLayout.DefaultProjects"/>.</param>
    /// <param name="time">Clock of the watch.</param>
    /// <param name="startTicks">When a process started; null: as the kernel says.</param>
    public ComposeSource(string file, string project, string projects, TimeProvider time, Func<int, long?>? startTicks = null)
        : base($"compose {Path.GetFileName(file)}", time) =>
        (_file, _project, _projects, _startTicks) = (file, project, projects.Length > 0 ? projects : ComposeLayout.DefaultProjects, startTicks ?? ComposeLayout.StartTicks);

    /// <inheritdoc/>
    /// <remarks>Files are read before it returns: what they say is there from the beginning.</remarks>
    public override Task StartAsync(Action changed, CancellationToken cancellationToken)
    {
        Look();
        return base.StartAsync(changed, cancellationToken);
    }

    /// <summary>Looks at the file, the state and the processes now.</summary>
    public void Look()
    {
        lock (_looking)
        {
            string problem = "";
            try
            {
                string text = ReadBounded(_file);
                _definition = _definition is { } known && known.Text == text ? known : (text, ComposeDefinition.Read(text, _file, _project));
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or InvalidDataException)
            {
                problem = exception.Message;
            }

            if (_definition is not { } definition)
            {
                Failed(problem);
                return;
            }

            try
            {
                string path = Path.Combine(_projects, definition.Definition.Project, ComposeLayout.StateFile), text = File.Exists(path) ? ReadBounded(path) : "";
                _state = _state.Text == text ? _state : (text, ComposeReplica.ReadAll(text));
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or InvalidDataException)
            {
                problem = string.Join("; ", new[] { problem, exception.Message }.Where(part => part.Length > 0));
            }

            Tell(definition.Definition, problem);
        }
    }

    /// <inheritdoc/>
    protected override async Task RunAsync(CancellationToken ending)
    {
        while (true)
        {
            await Task.Delay(s_lookEvery, Time, ending).ConfigureAwait(false);
            Look();
        }
    }

    private void Tell(ComposeDefinition definition, string problem)
    {
        ILookup<string, ComposeReplica> replicas = _state.Replicas.ToLookup(replica => replica.Service, StringComparer.Ordinal);
        foreach (ComposeService service in definition.Services)
        {
            _book.Put(service.Name, service.Spec is null ? [] : [service.Spec], service.Spec is null ? [] : [.. replicas[service.Name].SelectMany(replica => Endpoints(service, replica))]);
        }

        _book.RemoveAllBut(definition.Services.Select(service => service.Name).ToHashSet(StringComparer.Ordinal));
        Publish(_book.Services, _book.Endpoints, problem, definition.Problems, isHeard: problem.Length == 0);
    }

    private IEnumerable<MeshEndpointSpec> Endpoints(ComposeService service, ComposeReplica replica)
    {
        // What podman runs has no process here that could be asked for.
        bool isRunning = replica.IsByPodman || (replica.ProcessId > 0 && _startTicks(replica.ProcessId) == replica.StartTicks);
        (string Network, IReadOnlyList<IpAddress> Addresses) place = replica.Attachments.FirstOrDefault(attachment => service.Network.Length == 0 || attachment.Network == service.Network);
        return (place.Addresses ?? []).Select(address => new MeshEndpointSpec
        {
            Address = address,
            Name = replica.Name,
            Namespace = service.Spec!.Namespace,
            Service = service.Spec.Name,
            Weight = service.Weight,
            IsReady = isRunning,
            Hostname = replica.Name,
        });
    }

    private static string ReadBounded(string path) => new FileInfo(path) is { Exists: true, Length: > MaxBytes } file
        ? throw new IOException($"{path}: {file.Length >> 20} MB are more than the {MaxBytes >> 20} MB that it may have") : File.ReadAllText(path);
}
