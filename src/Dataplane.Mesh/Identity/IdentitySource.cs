namespace Dataplane.Mesh.Identity;

/// <summary>
/// An identity from files that is always the newest good one: new files are taken within a second or two, connections that stand keep what they began
/// with, and files that cannot be used change nothing but the status. Any thread.
/// </summary>
internal sealed class IdentitySource : IDisposable
{
    private readonly WatchedFiles<IdentitySnapshot> _files;

    /// <summary>Reads the files for the first time.</summary>
    /// <param name="spec">Where they are.</param>
    /// <param name="time">The clock; the system's when left out.</param>
    /// <param name="happened">Is told, in one line, of every new set and of every set that cannot be used; on any thread.</param>
    /// <exception cref="IOException">They cannot be used; the message says which and why.</exception>
    public IdentitySource(IdentitySpec spec, TimeProvider? time = null, Action<string>? happened = null)
    {
        ArgumentNullException.ThrowIfNull(spec);
        Spec = spec;
        IEnumerable<string> paths = [spec.Certificate, spec.Key, .. spec.Bundles.Values];
        _files = new WatchedFiles<IdentitySnapshot>(paths, () => IdentitySnapshot.Read(spec), text => happened?.Invoke($"identity: {text}"),
            time ?? TimeProvider.System);
    }

    /// <summary>Where the files are.</summary>
    public IdentitySpec Spec { get; }

    /// <summary>Who this is now.</summary>
    public SpiffeId Id => Current.Id;

    /// <summary>What is in force now.</summary>
    internal IdentitySnapshot Current => _files.Current;

    /// <summary>What is known of the certificate at this moment.</summary>
    public IdentityStatus ReadStatus() => _files.Status(Current.Id.Text, Current.NotAfter);

    /// <summary>Looks at the files at once instead of waiting for the next look.</summary>
    public void Refresh() => _files.Look();

    /// <summary>Ends the watch; what was read last stays.</summary>
    public void Dispose() => _files.Dispose();
}
