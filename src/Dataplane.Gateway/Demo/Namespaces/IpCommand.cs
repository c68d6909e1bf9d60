using System.Diagnostics;

namespace Dataplane.Gateway.Demo.Namespaces;

/// <summary>Runs <c>ip</c> of iproute2.</summary>
internal static class IpCommand
{
    private static readonly string[] s_folders =
        [.. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries), "/usr/sbin", "/sbin", "/usr/bin", "/bin"];

    /// <summary>The path of a program, or null when it is not installed.</summary>
    public static string? Find(string program) => s_folders.Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);

    /// <summary>Runs it and returns what it prints.</summary>
    /// <exception cref="IOException">It failed; the message is its own.</exception>
    public static async Task<string> RunAsync(string[] arguments, string? input = null)
    {
        string path = Find("ip") ?? throw new FileNotFoundException("The program ip (package iproute2) is not installed.");
        var start = new ProcessStartInfo(path, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start) ?? throw new IOException($"{path} did not start.");
        await process.StandardInput.WriteAsync(input).ConfigureAwait(false);
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().ConfigureAwait(false);
        return process.ExitCode == 0
            ? await output.ConfigureAwait(false)
            : throw new IOException($"ip {string.Join(' ', arguments)}: {(await error.ConfigureAwait(false)).Trim().ReplaceLineEndings("; ")}");
    }

    /// <summary>Runs several commands of <c>ip</c>, one a line; the first that fails ends it.</summary>
    public static Task BatchAsync(string? networkNamespace, string commands) =>
        RunAsync(networkNamespace is null ? ["-batch", "-"] : ["-n", networkNamespace, "-batch", "-"], commands);
}
