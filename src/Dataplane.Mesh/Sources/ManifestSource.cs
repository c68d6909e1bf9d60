using System.Globalization;
using System.Security.Cryptography;
using System.Text;
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

    /// <summary>What each file was like when it was read last.</summary>
    private readonly Dictionary<string, (string Stamp, byte[] Content)> _read = new(StringComparer.Ordinal);
    private readonly SourceBook _book = new();

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

            FileInfo[] others = [.. files.Where(file => !_read.TryGetValue(file.FullName, out (string Stamp, byte[] Content) known) || known.Stamp != StampOf(file))];
            if (others.Length == 0 && files.Length == _read.Count && Snapshot.Revision > 0)
            {
                Heard();
                return;
            }

            if (files.Sum(file => file.Length) > MaxBytes)
            {
                throw new IOException($"{string.Join(", ", _patterns)}: {files.Sum(file => file.Length) >> 20} MB are more than the {MaxBytes >> 20} MB that manifests may have");
            }

            (string File, string Stamp, string Text)[] texts = [.. others.Select(file => (file.FullName, StampOf(file), File.ReadAllText(file.FullName)))];
            foreach ((string file, string stamp, string text) in texts)
            {
                Take(file, stamp, text);
            }

            HashSet<string> there = [.. files.Select(file => file.FullName)];
            _book.RemoveAllBut(there);
            foreach (string gone in _read.Keys.Where(file => !there.Contains(file)).ToArray())
            {
                _read.Remove(gone);
            }

            Publish(_book.Services, _book.Endpoints, string.Join("; ", _book.Problems));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Failed(exception.Message);
        }
    }

    private static string StampOf(FileInfo file) => string.Create(CultureInfo.InvariantCulture, $"{file.LastWriteTimeUtc.Ticks} {file.Length}");

    private void Take(string file, string stamp, string text)
    {
        byte[] content = SHA256.HashData(Encoding.UTF8.GetBytes(text));
        bool isKnown = _read.TryGetValue(file, out (string Stamp, byte[] Content) known) && known.Content.AsSpan().SequenceEqual(content);
        _read[file] = (stamp, content);
        if (isKnown)
        {
            return;
        }

        (IReadOnlyList<MeshServiceSpec> services, IReadOnlyList<MeshEndpointSpec> endpoints, IReadOnlyList<string> wrong) = ManifestReader.Read(text, file);

        // Nothing but problems: somebody is in the middle of writing it, or has made a mistake. That ends no service.
        if (wrong.Count > 0 && services.Count + endpoints.Count == 0)
        {
            _book.Complain(file, wrong);
        }
        else
        {
            _book.Put(file, services, endpoints, wrong);
        }
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
