using System.Globalization;
using System.Reflection;
using System.Text;

namespace Dataplane.Gateway.CommandLine;

/// <summary>What <c>--help</c> and <c>--version</c> print.</summary>
internal static class HelpText
{
    private const int OptionColumn = 26;

    private const string ExitCodes = """
        Exit codes:
          0  done
          1  it could not be done: a port did not open, a capture could not be read, the worker died
          2  the command line or the configuration is wrong, or there is none; nothing was started
        """;

    public static string Version
    {
        get
        {
            string version = typeof(HelpText).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";
            return $"dataplane {version}";
        }
    }

    public static string ForProgram(IEnumerable<Command> commands)
    {
        var text = new StringBuilder();
        text.Append("""
            dataplane: a packet gateway and load balancer in one process

            Usage:
              dataplane COMMAND [ARGUMENTS]
              dataplane COMMAND --help

            Commands:

            """);
        AppendList(text, commands);
        return text.Append(CultureInfo.InvariantCulture, $"""

            Without arguments, and with CNI_COMMAND in its environment, it is the CNI plugin of container runtimes (docs/CONTAINERS.md).
            dataplane --version prints the version.

            New here? Try: dataplane demo

            {ExitCodes}

            """).ToString();
    }

    /// <summary>The help of commands whose names begin with the same word.</summary>
    public static string ForGroup(IEnumerable<Command> group)
    {
        var text = new StringBuilder("Usage:\n  dataplane COMMAND [ARGUMENTS]\n  dataplane COMMAND --help\n\nCommands:\n");
        AppendList(text, group);
        return text.ToString();
    }

    private static void AppendList(StringBuilder text, IEnumerable<Command> commands)
    {
        foreach (Command command in commands.Where(command => !command.IsHidden))
        {
            text.Append(CultureInfo.InvariantCulture, $"  {command.Name,-18}{command.Summary}\n");
        }
    }

    public static string ForCommand(Command command)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"dataplane {command.Name}: {command.Summary}\n\nUsage:\n  dataplane {command.Name}");
        foreach (string positional in command.Positionals)
        {
            text.Append(CultureInfo.InvariantCulture, $" {positional}");
        }

        Option[] shown = [.. command.Options.Where(option => !option.IsHidden)];
        foreach (Option option in shown)
        {
            string one = option.IsFlag ? option.Name : $"{option.Name} {option.Value}";
            text.Append(option.IsRequired ? $" {one}" : $" [{one}]").Append(option.IsRepeatable ? "..." : "");
        }

        text.Append('\n');
        if (shown.Length > 0)
        {
            text.Append("\nOptions:\n");
            foreach (Option option in shown)
            {
                string name = $"{option.Name} {option.Value}";
                text.Append(CultureInfo.InvariantCulture, $"  {name,-OptionColumn}{(name.Length < OptionColumn ? "" : "  ")}{option.Help}\n");
            }
        }

        if (command.Details.Length > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n{command.Details}\n");
        }

        return text.Append(CultureInfo.InvariantCulture, $"\n{ExitCodes}\n").ToString();
    }
}
