namespace Dataplane.Ports;

/// <summary>A capture file is not what it claims to be.</summary>
public sealed class CaptureFormatException : IOException
{
    /// <summary>Makes the exception.</summary>
    /// <param name="source">The file's path, or another name for where the bytes come from.</param>
    /// <param name="offset">Where in the file, in bytes from its beginning.</param>
    /// <param name="found">What stands there.</param>
    /// <param name="expected">What should stand there.</param>
    public CaptureFormatException(string source, long offset, string found, string expected)
        : base($"{source}: at byte {offset}: {found}; expected {expected}.")
    {
        Offset = offset;
        Expected = expected;
    }

    /// <summary>Where in the file, in bytes from its beginning.</summary>
    public long Offset { get; }

    /// <summary>What should stand there.</summary>
    public string Expected { get; }
}
