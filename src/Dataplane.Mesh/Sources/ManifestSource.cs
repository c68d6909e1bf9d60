using System.Security.Cryptography;
using Dataplane.Mesh.Services;

namespace Dataplane.Mesh.Sources;

/// <summary>Kubernetes manifests in files, looked at twice a second: by contents, so that editors, renames and swapped links are all the same.</summary>
/// <remarks>A file that is no YAML leaves what was read of it last, one that cannot be read leaves everything as it is; a file that is gone takes its services with it.</remarks>
internal sealed class ManifestSource : MeshSource
{
    /// <summary>Of all files together. Whatever is larger has been named by mistake, and must not take the memory of the gateway.</summary>
    private const long MaxBytes = 256L << 20;

    private static readonly TimeSpan s_lookEvery = TimeSpan.FromMilliseconds(500);

    private readonly IReadOnlyList<string> _patterns;
    private readonly Lock _looking = new();
    private string _stamp = "";
    private byte[] _content = [];

    /// <summary>What each file said when it could be read last.</summary>
    private Dictionary<string, (IReadOnlyList<MeshServiceSpec> Services, IReadOnlyList<MeshEndpointSpec> Endpoints)> _good = new(StringComparer.Ordinal);

    /// <summary>Makes the source; reads nothing yet.</summary>
    /// <param name="patterns">Paths; the last part may have <c>*</c> and <c>?</c>.</param>
    /// <param name="time">Clock of the watch.</param>
    public ManifestSource(IReadOnlyList<string> patterns, TimeProvider time)
        : base($"kubernetes {string.Join(" ", patterns.Select(Path.GetFileName))}", time) => _patterns = patterns;

    /// <inheritdoc/>
    /// <remarks>Files are read before it returns: what they say is there from the beginning.</remarks>
    public override Task StartAsync(Action changed, CancellationToken cancellationToken)
    {
        Look();
        return base.StartAsync(changed, cancellationToken);
    }

    /// <summary>Reads the files now if they have changed.</summary>
    public void Look()
    {
        lock (_looking)
        {
            Read();
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

    private void Read()
    {
        try
        {
            FileInfo[] files = [.. _patterns.SelectMany(Files).Distinct(StringComparer.Ordinal).Select(file => new FileInfo(file))];
            if (files.Length == 0 && Snapshot.Revision == 0)
            {
                throw new FileNotFoundException($"{string.Join(", ", _patterns)}: there is no such file yet");
            }

            string stamp = string.Join('\n', files.Select(file => $"{file.FullName} {file.LastWriteTimeUtc.Ticks} {file.Length}"));
            if (stamp == _stamp)
            {
                Heard();
                return;
            }

            if (files.Sum(file => file.Length) > MaxBytes)
            {
                throw new IOException($"{string.Join(", ", _patterns)}: {files.Sum(file => file.Length) >> 20} MB are more than the {MaxBytes >> 20} MB that manifests may have");
            }

            (string File, string Text)[] texts = [.. files.Select(file => (file.FullName, File.ReadAllText(file.FullName)))];
            byte[] content = SHA256.HashData([.. texts.SelectMany(text => System.Text.Encoding.UTF8.GetBytes($"{text.File}\0{text.Text}\0"))]);
            _stamp = stamp;
            if (content.AsSpan().SequenceEqual(_content))
            {
                Heard();
                return;
            }

            _content = content;
            Take(texts);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Failed(exception.Message);
        }
    }

    private void Take((string File, string Text)[] texts)
    {
        var read = new Dictionary<string, (IReadOnlyList<MeshServiceSpec> Services, IReadOnlyList<MeshEndpointSpec> Endpoints)>(StringComparer.Ordinal);
        var problems = new List<string>();
        foreach ((string file, string text) in texts)
        {
            (IReadOnlyList<MeshServiceSpec> services, IReadOnlyList<MeshEndpointSpec> endpoints, IReadOnlyList<string> wrong) = ManifestReader.Read(text, file);
            problems.AddRange(wrong);

            // Nothing but problems: somebody is in the middle of writing it, or has made a mistake. That ends no service.
            bool isBroken = wrong.Count > 0 && services.Count + endpoints.Count == 0;
            read[file] = isBroken && _good.TryGetValue(file, out (IReadOnlyList<MeshServiceSpec>, IReadOnlyList<MeshEndpointSpec>) last) ? last : (services, endpoints);
        }

        _good = read;
        Publish([.. read.Values.SelectMany(file => file.Services)], [.. read.Values.SelectMany(file => file.Endpoints)], string.Join("; ", problems));
    }

    private static IEnumerable<string> Files(string pattern)
    {
        string name = Path.GetFileName(pattern), folder = Path.GetDirectoryName(pattern) ?? "/";
        bool isPattern = name.Contains('*', StringComparison.Ordinal) || name.Contains('?', StringComparison.Ordinal);
        if (Directory.Exists(pattern))
        {
            return Directory.EnumerateFiles(pattern, "*.yaml").Concat(Directory.EnumerateFiles(pattern, "*.yml")).Concat(Directory.EnumerateFiles(pattern, "*.json")).Order(StringComparer.Ordinal);
        }

        return isPattern ? Directory.EnumerateFiles(folder, name).Order(StringComparer.Ordinal)
            : File.Exists(pattern) ? [pattern] : throw new FileNotFoundException($"{pattern} does not exist");
    }
}
