using System.Text;
using Dataplane.Configuration;

namespace Dataplane.Hosting.Configuration;

/// <summary>Reads the engine's configuration from a file: YAML 1.2, and JSON, which YAML contains.</summary>
/// <remarks>
/// Keys that are there twice, anchors, aliases, tags and second documents are errors: a configuration says one thing, where one looks for it.
/// Nothing here throws on what is in a file; every error names its line and column.
/// </remarks>
public static class ConfigurationFile
{
    /// <summary>The largest file that is read, in bytes (64 MiB).</summary>
    public const int MaxSizeBytes = 64 << 20;

    private static readonly UTF8Encoding s_strictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Reads and checks a file.</summary>
    /// <param name="path">Path of the file; errors show it as it is given here.</param>
    /// <param name="change">Adds to what was read, before it is checked as a whole: ports that are code, for instance. Errors it throws are told with the others.</param>
    public static LoadResult Load(string path, Func<DataplaneSpec, DataplaneSpec>? change = null)
    {
        ArgumentNullException.ThrowIfNull(path);
        var errors = new List<ConfigurationError>();
        ConfigNode? root = ReadTree(path, errors);
        return root is null ? new LoadResult { Errors = errors } : LoadResult.From(root, errors, change);
    }

    /// <summary>Reads a file as it is written, for readers of other specifications than the engine's.</summary>
    /// <returns>The tree; null when there is none, with the error in the list.</returns>
    internal static ConfigNode? ReadTree(string path, List<ConfigurationError> errors)
    {
        byte[] bytes;
        try
        {
            bytes = ReadBytes(path);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return Failed(errors, path, "does not exist");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            return Failed(errors, path, Directory.Exists(path) ? "is a directory; the path of a file is needed" : $"cannot be read: {exception.Message}");
        }

        return bytes.Length > MaxSizeBytes
            ? Failed(errors, path, $"is larger than {MaxSizeBytes >> 20} MiB, the largest configuration that is read")
            : ReadTree(bytes, path, errors);
    }

    /// <summary>Reads and checks a text.</summary>
    /// <param name="text">YAML or JSON.</param>
    /// <param name="name">Name of the text in errors, such as the path of its file.</param>
    /// <param name="change">Adds to what was read, before it is checked as a whole. Errors it throws are told with the others.</param>
    public static LoadResult Parse(string text, string name, Func<DataplaneSpec, DataplaneSpec>? change = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(name);
        var errors = new List<ConfigurationError>();
        ConfigNode? root = YamlTreeReader.Read(text, name, errors);
        return root is null ? new LoadResult { Errors = errors } : LoadResult.From(root, errors, change);
    }

    private static ConfigNode? ReadTree(byte[] bytes, string path, List<ConfigurationError> errors)
    {
        if (bytes is [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..])
        {
            return Failed(errors, path, "is in UTF-16; save it as UTF-8");
        }

        string text;
        try
        {
            text = s_strictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException exception)
        {
            ReadOnlySpan<byte> before = bytes.AsSpan(0, Math.Clamp(exception.Index, 0, bytes.Length));
            return Failed(errors, path, "is not UTF-8 here; save it as UTF-8", before.Count((byte)'\n') + 1, before.Length - before.LastIndexOf((byte)'\n'));
        }

        return YamlTreeReader.Read(text, path, errors);
    }

    /// <summary>Reads what a file holds, and of one that is too large (or never ends) only so much that this shows.</summary>
    private static byte[] ReadBytes(string path)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var content = new MemoryStream();
        byte[] chunk = new byte[64 << 10];
        int read;
        while (content.Length <= MaxSizeBytes && (read = file.Read(chunk)) > 0)
        {
            content.Write(chunk, 0, read);
        }

        return content.ToArray();
    }

    private static ConfigNode? Failed(List<ConfigurationError> errors, string file, string message, int line = 0, int column = 0)
    {
        errors.Add(new ConfigurationError("", message) { File = file, Line = line, Column = column });
        return null;
    }
}
