using Dataplane.Gateway.CommandLine;

namespace Dataplane.Gateway.Compose;

/// <summary>What stands for images here: root file systems of this machine, and what is run in them.</summary>
internal sealed class ImageMap
{
    private readonly Dictionary<string, string> _roots = [];
    private readonly Dictionary<string, string> _commands = [];

    /// <exception cref="UsageException">One is not <c>IMAGE=VALUE</c>, or a directory is not there.</exception>
    public ImageMap(IEnumerable<string> roots, IEnumerable<string> commands)
    {
        foreach (string text in roots)
        {
            (string image, string directory) = Split("--image", text);
            _roots[image] = Directory.Exists(directory) ? Path.GetFullPath(directory) : throw new UsageException($"--image {text}: there is no directory {directory}.");
        }

        foreach (string text in commands)
        {
            (string image, string command) = Split("--image-command", text);
            _commands[image] = command;
        }
    }

    /// <summary>Root file system and command of an image; null when nothing stands for it. A command alone runs in the machine's own file system.</summary>
    public (string Root, string[] Command)? Find(string image)
    {
        string bare = image.Split(':')[0];
        string? root = _roots.GetValueOrDefault(image) ?? _roots.GetValueOrDefault(bare), command = _commands.GetValueOrDefault(image) ?? _commands.GetValueOrDefault(bare);
        return root is null && command is null ? null : (root ?? "/", command is null ? [] : ["/bin/sh", "-c", command]);
    }

    private static (string Image, string Value) Split(string option, string text) =>
        text.IndexOf('=', StringComparison.Ordinal) is > 0 and int equals ? (text[..equals], text[(equals + 1)..]) : throw new UsageException($"{option} {text}: IMAGE=VALUE is needed.");
}
