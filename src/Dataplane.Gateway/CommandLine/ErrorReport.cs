using Dataplane.Configuration;

namespace Dataplane.Gateway.CommandLine;

/// <summary>Prints configuration errors, all of them, one a line: file, line, column, place, value, what is allowed.</summary>
internal static class ErrorReport
{
    public static async Task WriteAsync(TextWriter writer, IReadOnlyList<ConfigurationError> errors)
    {
        foreach (ConfigurationError error in errors)
        {
            await writer.WriteLineAsync(error.ToString()).ConfigureAwait(false);
        }

        await writer.WriteLineAsync(errors.Count == 1 ? "1 error" : $"{errors.Count} errors").ConfigureAwait(false);
    }
}
