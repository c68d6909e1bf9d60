using System.Text;

namespace Dataplane.Gateway.Networks;

/// <summary>The sockets of endpoints that are attached by memif: one directory for each, which is mounted into its container.</summary>
/// <remarks>
/// The directory is mounted and not the socket, because a service that starts anew makes a new socket under the old name. The directory around all of them is the service's alone: who has one mounted
/// may use it, under whatever user his container runs, and nobody else on the host reaches any.
/// </remarks>
/// <param name="directory">The directory around them.</param>
internal sealed class MemifSockets(string directory)
{
    /// <summary>Name of a socket in its directory.</summary>
    public const string FileName = "memif.sock";

    /// <summary>The longest path of the directory around them: a socket's path has 107 bytes at most (unix(7)).</summary>
    public const int MaxDirectoryBytes = 107 - MaxNameLength - 12;

    /// <summary>The longest name of an endpoint's directory.</summary>
    public const int MaxNameLength = 32;

    /// <summary>Users of containers are not those of the host.</summary>
    public const UnixFileMode SocketMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode ForAll = OwnerOnly | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private readonly string _directory = Path.GetFullPath(directory);

    /// <summary>Path of the socket in an endpoint's directory.</summary>
    public string PathOf(string name) => Path.Combine(_directory, name, FileName);

    /// <summary>What is wrong with the directory around them; null when nothing is.</summary>
    public static string? ProblemOf(string directory) => directory.Any(char.IsWhiteSpace) || directory.Contains('=', StringComparison.Ordinal) ? $"\"{directory}\": is to be without spaces and =."
        : Encoding.UTF8.GetByteCount(Path.GetFullPath(directory)) <= MaxDirectoryBytes ? null
        : $"\"{directory}\": is too long; {MaxDirectoryBytes} bytes are allowed, as the path of a socket has 107 at most.";

    /// <summary>Sees to it that the directory of a socket is there, with its own modes.</summary>
    /// <exception cref="IOException">It cannot be made.</exception>
    public void Make(string path)
    {
        string own = Path.GetDirectoryName(path)!;
        if (Directory.Exists(own))
        {
            return;
        }

        if (!Directory.Exists(_directory))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_directory)!);
            Own(_directory, OwnerOnly);
        }

        Own(own, ForAll);
    }

    private static void Own(string directory, UnixFileMode mode)
    {
        if (!OperatingSystem.IsWindows())
        {
            // Never open to more than it is to be, and then to just that, whatever the process leaves out.
            Directory.CreateDirectory(directory, mode);
            File.SetUnixFileMode(directory, mode);
        }
    }

    /// <summary>Removes the directory of a socket, and whatever a container has put there.</summary>
    /// <exception cref="IOException">It cannot be removed.</exception>
    public void Remove(string path)
    {
        string own = Path.GetDirectoryName(path)!;
        if (Path.GetDirectoryName(own) == _directory && Directory.Exists(own))
        {
            Directory.Delete(own, recursive: true);
        }
    }
}
